import Kernels
package import NIOCore

/// Requests assembled ahead of the run, each as one piece of bytes, head and body.
///
/// The run takes them in order and starts again at the front.
public struct RequestPool: Sendable {
    /// How many requests are assembled at most; beyond this the run repeats them.
    public static let limit = 16_384

    /// The requests in the order of sending.
    package let requests: [ByteBuffer]

    /// Assembles `POST` requests.
    ///
    /// - Parameters:
    ///   - target: Where they go.
    ///   - source: Where their histories come from; at least one item or event.
    ///   - lengths: Ids a history, from 0 up.
    ///   - k: How many items a request asks for.
    ///   - count: How many different requests, at least one.
    ///   - seed: The same seed and other arguments give the same bytes.
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
