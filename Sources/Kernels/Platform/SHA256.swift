import CKernels

/// SHA-256 (FIPS 180-4) of bytes that come in parts.
///
/// Complexity: O(bytes). CPUs with SHA instructions use them; both forms give the same digests.
public struct SHA256: Sendable {
    private static let blockBytes = 64

    private var state: InlineArray<8, UInt32> = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Bytes that do not fill a block yet.
    private var rest: [UInt8] = []
    private var count: UInt64 = 0
    private let isPortable: Bool

    /// The digest of nothing so far.
    public init() { isPortable = false }

    /// The same, maybe without the CPU's own instructions, for tests that compare the two forms.
    package init(isPortable: Bool) { self.isPortable = isPortable }

    /// Adds bytes.
    public mutating func update(_ bytes: Span<UInt8>) {
        count &+= UInt64(bytes.count)
        var start = 0
        if !rest.isEmpty {
            while rest.count < Self.blockBytes, start < bytes.count {
                rest.append(bytes[start])
                start += 1
            }
            guard rest.count == Self.blockBytes else { return }
            var block: [UInt8] = []
            swap(&block, &rest)
            addBlocks(of: block.span, from: 0, blocks: 1)
        }
        let blocks = (bytes.count - start) / Self.blockBytes
        addBlocks(of: bytes, from: start, blocks: blocks)
        for position in start + blocks * Self.blockBytes..<bytes.count { rest.append(bytes[position]) }
    }

    /// Ends the message.
    ///
    /// - Returns: The digest, 32 bytes.
    public consuming func finalize() -> [UInt8] {
        let bits = count &* 8
        var padding: [UInt8] = [0x80]
        while (rest.count + padding.count) % Self.blockBytes != Self.blockBytes - 8 { padding.append(0) }
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            padding.append(UInt8(truncatingIfNeeded: bits >> shift))
        }
        update(padding.span)
        return state.indices.flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: state[word] >> UInt32($0)) }
        }
    }

    /// The digest of bytes that are all there, 32 bytes.
    public static func hash(_ bytes: Span<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    private mutating func addBlocks(of bytes: Span<UInt8>, from start: Int, blocks: Int) {
        guard blocks > 0 else { return }
        precondition(
            start + blocks * Self.blockBytes <= bytes.count,
            "\(blocks) blocks from \(start) of \(bytes.count)"
        )
        let isPortable = isPortable
        var span = state.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { state in
            unsafe bytes.withUnsafeBufferPointer { bytes in
                guard let state = state.baseAddress, let bytes = bytes.baseAddress else { return }
                unsafe ck_sha256_blocks(state, bytes + start, blocks, isPortable ? 1 : 0)
            }
        }
    }
}
