import Foundation
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
        self.init(
            target: target,
            bodies: (0..<count).map { number in
                let history = source.history(number, lengths: lengths, random: random)
                return "{\"history\":[\(history.joined(separator: ","))],\"k\":\(k)}"
            }
        )
    }

    /// Assembles `POST` requests with the bodies of a file, one JSON object a line; blank lines do not count.
    ///
    /// - Parameters:
    ///   - target: The target of the requests.
    ///   - path: The file, in UTF-8.
    /// - Throws: ``LoadError`` if the file cannot be read, has no line or more than ``limit``, or a line is no object.
    public init(target: LoadTarget, bodiesFrom path: String) throws(LoadError) {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw .unreadableBodies(file: path, reason: error.localizedDescription)
        }
        var bodies: [String] = []
        for (number, line) in text.split(
            omittingEmptySubsequences: false,
            whereSeparator: { $0 == "\n" || $0 == "\r\n" }
        ).enumerated() {
            guard line.contains(where: { !$0.isWhitespace }) else { continue }
            guard (try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any] else {
                throw .badBodies(file: path, line: number + 1, reason: "this line is no JSON object")
            }
            bodies.append(String(line))
        }
        guard !bodies.isEmpty else { throw .badBodies(file: path, line: nil, reason: "it has no request") }
        guard bodies.count <= Self.limit else {
            throw .unreadableBodies(file: path, reason: "It has \(bodies.count) requests; give at most \(Self.limit).")
        }
        self.init(target: target, bodies: bodies)
    }

    private init(target: LoadTarget, bodies: [String]) {
        requests = bodies.map { body in
            ByteBuffer(
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
