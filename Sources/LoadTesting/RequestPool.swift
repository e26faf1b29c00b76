import Kernels
package import NIOCore

/// Requests assembled before the run, each with head and body in one buffer.
///
/// The run sends them in order and starts over after the last.
public struct RequestPool: Sendable {
    /// The most requests to assemble; a longer run repeats them.
    public static let limit = 16_384

    /// The requests in the order of sending.
    package let requests: [ByteBuffer]

    /// Assembles `POST` requests.
    ///
    /// - Parameters:
    ///   - target: The target of the requests.
    ///   - source: The source of the histories, with at least one item or event.
    ///   - lengths: The number of ids in a history, from 0.
    ///   - k: How many items a request asks for.
    ///   - count: The number of different requests, at least one.
    ///   - seed: The seed; the same seed and other arguments give the same bytes.
    public init(
        target: LoadTarget,
        source: HistorySource,
        lengths: ClosedRange<Int>,
        k: Int,
        count: Int = RequestPool.limit,
        seed: UInt64
    ) {
        precondition(count >= 1, "a pool of \(count) requests")
        let random = CounterBasedGenerator(seed: seed, purpose: .simulation)
        requests = (0..<count).map { number in
            let history = source.history(number, lengths: lengths, random: random)
            let body = "{\"history\":[\(history.joined(separator: ","))],\"k\":\(k)}"
            return ByteBuffer(
                string: """
                    POST \(target.path) HTTP/1.1\r
                    Host: \(target.authority)\r
                    User-Agent: dimerec-load\r
                    Content-Type: application/json\r
                    Content-Length: \(body.utf8.count)\r
                    \r
                    \(body)
                    """
            )
        }
    }
}
