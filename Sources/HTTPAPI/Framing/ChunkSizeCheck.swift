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

    /// The error of a body above the limit.
    struct Excess: Error {}

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
            (place, total) = (.size(0), 0)
        }
        guard announcesExcess(rest) else { return }
        place = .outside
        context.fireErrorCaught(Excess())
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

    /// Follows the chunks, and returns whether their sizes exceed the limit together.
    private func announcesExcess(_ bytes: ByteBufferView) -> Bool {
        var rest = bytes
        while let byte = rest.first {
            switch place {
            case .outside: return false
            case .size(let size):
                rest = rest.dropFirst()
                guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                    place = byte == UInt8(ascii: "\n") ? afterSize(size) : .line(size)
                    continue
                }
                guard total + 16 * size + digit <= limit else { return true }
                place = .size(16 * size + digit)
            case .line(let size):
                rest = rest.dropFirst()
                if byte == UInt8(ascii: "\n") { place = afterSize(size) }
            case .chunk(let left):
                let count = min(left, rest.count)
                rest = rest.dropFirst(count)
                place = count == left ? .size(0) : .chunk(left - count)
            }
        }
        return false
    }

    /// The last chunk has the size 0; what follows it is the parser's business.
    private func afterSize(_ size: Int) -> Place {
        total += size
        return size == 0 ? .outside : .chunk(size + 2)
    }
}
