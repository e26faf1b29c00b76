#if _endian(big)
#error("saved matrices are little-endian; this machine needs a byte swap here")
#endif

extension Matrix {
    /// Consecutive elements as little-endian Float32, four bytes each.
    ///
    /// - Complexity: One copy of memory.
    public func littleEndianBytes(ofElements range: Range<Int>) -> [UInt8] {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "elements \(range) are outside 0..<\(count)")
        return elements[range].littleEndianBytes
    }

    /// Overwrites elements from `start` on with little-endian Float32 values, four bytes each.
    ///
    /// - Precondition: The bytes are whole elements and fit into the matrix.
    /// - Complexity: One copy of memory.
    public mutating func setElements(from start: Int, littleEndian bytes: Span<UInt8>) {
        let added = bytes.count / 4
        precondition(
            bytes.count % 4 == 0 && start >= 0 && start + added <= count,
            "\(bytes.count) bytes at element \(start) of \(count)"
        )
        withMutablePointer { out in
            unsafe bytes.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                unsafe UnsafeMutableRawPointer(out + start).copyMemory(from: base, byteCount: source.count)
            }
        }
    }
}

extension ArraySlice where Element: BitwiseCopyable {
    /// The bytes of the elements; this machine is little-endian.
    fileprivate var littleEndianBytes: [UInt8] {
        unsafe withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: source.count) { buffer, initialized in
                unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: source)
                initialized = source.count
            }
        }
    }
}

/// Writes integers, text and arrays one after another, little-endian and unaligned.
package struct LittleEndianWriter {
    /// The bytes written so far.
    package private(set) var bytes: [UInt8] = []

    /// Nothing written yet.
    package init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Adds one integer with all its bytes.
    package mutating func append(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Adds bytes.
    package mutating func append(bytes added: some Sequence<UInt8>) { bytes.append(contentsOf: added) }

    /// Adds every number of an array, without its count.
    package mutating func append(_ values: [Int32]) { bytes.append(contentsOf: values[...].littleEndianBytes) }

    /// Adds every number of an array, without its count.
    package mutating func append(_ values: [Float]) { bytes.append(contentsOf: values[...].littleEndianBytes) }

    /// Adds every element of a matrix, without its shape.
    package mutating func append(_ matrix: Matrix) {
        bytes.append(contentsOf: matrix.littleEndianBytes(ofElements: 0..<matrix.count))
    }

    /// Adds the UTF-8 bytes of a text after their count.
    package mutating func append(text: String) {
        append(UInt32(text.utf8.count))
        append(bytes: text.utf8)
    }
}

/// Reads the output of ``LittleEndianWriter``; returns nil and allocates nothing if too few bytes are left.
package struct LittleEndianReader {
    private let bytes: [UInt8]
    private var position = 0

    /// Starts at the first byte.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The number of bytes left.
    package var remaining: Int { bytes.count - position }

    /// The next integer.
    package mutating func integer<Value: FixedWidthInteger>(_: Value.Type) -> Value? {
        guard let range = take(Value.bitWidth / 8, elementBytes: 1) else { return nil }
        var value: Value = 0
        for byte in bytes[range].reversed() { value = value << 8 | Value(truncatingIfNeeded: byte) }
        return value
    }

    /// The next 64-bit count, or nil if it does not fit into `Int`.
    package mutating func count() -> Int? { integer(UInt64.self).flatMap { Int(exactly: $0) } }

    /// The next `count` bytes.
    package mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        take(count, elementBytes: 1).map { bytes[$0] }
    }

    /// The next text with its count; bytes that are not UTF-8 become replacement characters.
    package mutating func text() -> String? {
        integer(UInt32.self).flatMap { bytes(Int($0)) }.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The next `count` numbers of 32 bits.
    package mutating func int32s(_ count: Int) -> [Int32]? {
        guard let range = take(count, elementBytes: 4) else { return nil }
        return unsafe bytes[range].withUnsafeBytes { source in
            unsafe [Int32](unsafeUninitializedCapacity: count) { buffer, initialized in
                unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: source)
                initialized = count
            }
        }
    }

    /// The next `count` floating-point numbers of 32 bits.
    package mutating func floats(_ count: Int) -> [Float]? { matrix(rows: 1, columns: count)?.elements }

    /// The next `rows * columns` elements.
    package mutating func matrix(rows: Int, columns: Int) -> Matrix? {
        let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
        guard rows >= 0, columns >= 0, !overflow, let range = take(count, elementBytes: 4) else { return nil }
        var matrix = Matrix(rows: rows, columns: columns)
        matrix.setElements(from: 0, littleEndian: bytes.span.extracting(range))
        return matrix
    }

    private mutating func take(_ count: Int, elementBytes: Int) -> Range<Int>? {
        guard count >= 0, count <= remaining / elementBytes else { return nil }
        defer { position += count * elementBytes }
        return position..<position + count * elementBytes
    }
}
