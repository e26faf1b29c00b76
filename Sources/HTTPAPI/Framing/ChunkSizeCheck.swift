import NIOCore
import NIOHTTP1

/// Finds out at once that a chunked body announces more bytes than the limit, before they arrive.
///
/// The HTTP parser reads the sizes of chunks but does not report them. So this handler, which comes before the parser,
/// reads them again. It only ever refuses a request earlier than the body limit would: if it is not sure where a body
/// begins, it reads nothing and leaves the request to the limit and to the timeout.
final class ChunkSizeCheck: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Why a body is refused.
    enum Excess: Error {
        /// Its chunks are larger than the limit together.
        case body
        /// The line with the size of a chunk is longer than `longestLine`.
        case line
    }

    /// The most bytes of a line with the size of a chunk, extensions included.
    static let longestLine = 16_384

    private enum Place {
        /// Not in a chunked body, or in one whose beginning is unknown.
        case outside
        /// In the size of a chunk, or before it.
        case size(Int)
        /// In the rest of the line of a size.
        case line(Int)
        /// In a chunk, with this many bytes to come, the end of the line included.
        case chunk(Int)
    }

    private let limit: Int
    private var place = Place.outside
    private var total = 0
    /// Bytes of the current line with a size.
    private var lineLength = 0
    /// The only part of the current read so far, if it is the head of a request with a chunked body.
    private var head: HTTPRequestHead?
    private var parts = 0

    /// Checks bodies against a limit in bytes.
    init(limit: Int) { self.limit = limit }

    /// Notes a part that the parser made of the bytes of the current read.
    func note(_ part: HTTPServerRequestPart) {
        parts += 1
        switch part {
        case .head(let head):
            let isChunked = parts == 1 && head.headers.contains(name: "transfer-encoding")
            self.head = isChunked ? head : nil
        case .body: break
        case .end: (head, place) = (nil, .outside)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        (head, parts) = (nil, 0)
        context.fireChannelRead(data)
        var rest = bytes.readableBytesView
        if let head {
            self.head = nil
            guard let start = Self.endOfHead(head, in: rest) else { return }
            rest = rest[start...]
            (place, total, lineLength) = (.size(0), 0, 0)
        }
        guard let excess = excess(in: rest) else { return }
        place = .outside
        context.fireErrorCaught(excess)
    }

    /// Where a body begins; nil unless the head is whole and the first thing in the bytes.
    private static func endOfHead(_ head: HTTPRequestHead, in bytes: ByteBufferView) -> Int? {
        guard bytes.starts(with: "\(head.method.rawValue) \(head.uri) HTTP/".utf8) else { return nil }
        var matched = 0
        let end = Array("\r\n\r\n".utf8)
        for (index, byte) in zip(bytes.indices, bytes) {
            matched = byte == end[matched] ? matched + 1 : byte == end[0] ? 1 : 0
            if matched == end.count { return index + 1 }
        }
        return nil
    }

    /// Follows the chunks, and returns the first limit that they exceed.
    private func excess(in bytes: ByteBufferView) -> Excess? {
        var rest = bytes
        while let byte = rest.first {
            switch place {
            case .outside: return nil
            case .size(let size), .line(let size):
                rest = rest.dropFirst()
                lineLength += 1
                guard lineLength <= Self.longestLine else { return .line }
                if byte == UInt8(ascii: "\n") {
                    place = afterSize(size)
                } else if case .size = place, let digit = Self.hexDigit(byte) {
                    guard total + 16 * size + digit <= limit else { return .body }
                    place = .size(16 * size + digit)
                } else {
                    place = .line(size)
                }
            case .chunk(let left):
                let count = min(left, rest.count)
                rest = rest.dropFirst(count)
                place = count == left ? .size(0) : .chunk(left - count)
            }
        }
        return nil
    }

    private static func hexDigit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    /// The last chunk has the size 0; only the parser reads the bytes after it.
    private func afterSize(_ size: Int) -> Place {
        total += size
        lineLength = 0
        return size == 0 ? .outside : .chunk(size + 2)
    }
}

extension ChunkSizeCheck.Excess {
    /// The answer to a request with this fault.
    func problem(limit: Int) -> Problem {
        switch self {
        case .body: .bodyTooLarge(limit)
        case .line:
            Problem(
                .invalidArgument,
                "The line with the size of a chunk is longer than \(ChunkSizeCheck.longestLine) bytes."
            )
        }
    }
}
