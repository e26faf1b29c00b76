import Foundation
import NIOHTTP1

/// A client of a running DimeRec service.
///
/// ```swift
/// var options = DimeRecClient.Options()
/// options.timeout = .milliseconds(200)
/// let client = try DimeRecClient(urls: ["http://127.0.0.1:8080", "http://127.0.0.1:8090"], options: options)
/// let answer = try await client.retrieve(RetrievalRequest(history: ["i42", "i7"], k: 10))
/// for item in answer.items { print(item.id, item.score) }
/// ```
///
/// Any number of tasks can share one client. The client keeps connections open until its last reference is gone. Every
/// call throws ``DimeRecError``, or CancellationError if its task was cancelled.
///
/// A retrieval changes nothing, so the client retries it until the call's timeout, with the next address if there are
/// several. It retries if the address is unreachable, if the connection breaks, or, after Retry-After, if the service
/// answers 503. `X-Deadline-Ms` tells the service the remaining time. The client retries a call that is not idempotent
/// only if the service cannot have received it or refused it with 503.
public final class DimeRecClient: Sendable {
    /// The options of a client.
    public struct Options: Sendable {
        /// How long a call of the data plane may take, all attempts included.
        public var timeout: Duration = .seconds(2)
        /// How long one attempt may take before the client tries the next address; nil is as long as the call.
        public var attemptTimeout: Duration?
        /// How long opening a connection may take.
        public var connectTimeout: Duration = .milliseconds(500)
        /// The most attempts of one call.
        public var attempts = 4
        /// The longest wait after the first round over all addresses; it doubles with every round.
        public var backoff: Duration = .milliseconds(50)
        /// The longest wait between two rounds.
        public var longestBackoff: Duration = .seconds(1)
        /// The most idle connections kept for each address.
        public var connections = 8
        /// The largest accepted answer, in bytes.
        public var answerLimit = 16 << 20
        /// The control plane's address, for calls about models, versions and aliases.
        public var controlURL: String?
        /// The control plane's bearer token; the client sends it nowhere else.
        public var token: String?
        /// How long a call of the control plane may take, such as an activation with wait.
        public var controlTimeout: Duration = .seconds(60)

        /// The defaults.
        public init() {}
    }

    let control: Caller?
    let options: Options
    private let data: Caller

    /// Creates a client over a transport.
    ///
    /// - Parameters:
    ///   - urls: The addresses of the data planes, at least one.
    ///   - options: Timeouts, attempts and the control plane's address.
    ///   - transport: Sends the requests.
    ///   - sleep: Waits between attempts; a test can replace it.
    /// - Throws: ``DimeRecError/invalidURL(_:)``.
    package init(
        urls: [String],
        options: Options,
        transport: any Transport,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) throws(DimeRecError) {
        precondition(options.attempts >= 1, "\(options.attempts) attempts; there must be at least one")
        self.options = options
        let policy = RetryPolicy(
            attempts: options.attempts,
            base: options.backoff,
            longest: options.longestBackoff
        )
        func caller(_ bases: [String]) throws(DimeRecError) -> Caller {
            try Caller(
                bases: bases,
                transport: transport,
                policy: policy,
                attemptTimeout: options.attemptTimeout,
                sleep: sleep
            )
        }
        data = try caller(urls)
        if let controlURL = options.controlURL { control = try caller([controlURL]) } else { control = nil }
    }

    /// Retrieves the next items for a history.
    ///
    /// - Parameters:
    ///   - request: The history and the other parameters.
    ///   - timeout: How long this call may take; nil uses the options' timeout.
    /// - Returns: The next items, best first.
    /// - Throws: ``DimeRecError``.
    public func retrieve(_ request: RetrievalRequest, timeout: Duration? = nil) async throws -> RetrievalAnswer {
        try await ask("/retrieve", request, timeout)
    }

    /// Retrieves for several histories in one request, which costs less than single requests.
    ///
    /// - Parameters:
    ///   - requests: At least one request, at most the service's MAX_BATCH.
    ///   - timeout: How long this call may take; nil uses the options' timeout.
    /// - Returns: The answer or problem of each request, in the order of the requests.
    /// - Throws: ``DimeRecError``.
    public func retrieveBatch(_ requests: [RetrievalRequest], timeout: Duration? = nil) async throws -> [BatchResult] {
        let results: Results = try await ask("/retrieve:batch", ["requests": requests], timeout)
        guard results.results.count == requests.count else {
            let reason = "\(results.results.count) results for \(requests.count) requests"
            throw DimeRecError.invalidAnswer(url: "/retrieve:batch", status: 200, reason: reason)
        }
        return results.results
    }

    /// Retrieves the items most similar to an item.
    ///
    /// - Parameters:
    ///   - item: The id of an item of the catalogue.
    ///   - k: How many items to return; nil is the service's default.
    ///   - timeout: How long this call may take; nil uses the options' timeout.
    /// - Returns: The items, best first.
    /// - Throws: ``DimeRecError``; an unknown item is a problem of status 404.
    public func similar(to item: String, k: Int? = nil, timeout: Duration? = nil) async throws -> SimilarAnswer {
        try await ask("/v1/similar", Similarity(item: item, k: k), timeout)
    }

    /// Computes the vectors of a user, for a ranker or another vector store.
    ///
    /// - Parameters:
    ///   - request: The history and the other parameters.
    ///   - timeout: How long this call may take; nil uses the options' timeout.
    /// - Returns: The vectors and the interests.
    /// - Throws: ``DimeRecError``; a model without item vectors is a problem of status 400.
    public func embed(_ request: EmbeddingRequest, timeout: Duration? = nil) async throws -> UserEmbedding {
        try await ask("/v1/embed", request, timeout)
    }

    /// Retrieves the catalogue's entry of an item; an unknown item is returned as not known.
    public func item(_ id: String, timeout: Duration? = nil) async throws -> ItemDescription {
        let path = "/v1/items/" + Self.segment(id)
        let call = Call(path: path, tellsDeadline: true, timeout: timeout ?? options.timeout)
        return try Self.decode(try await data.send(call), of: path)
    }

    /// Whether at least one address is ready; asks each address at most once.
    public func isReady() async -> Bool {
        await data.succeeds(Call(path: "/health/ready", timeout: options.timeout))
    }

    /// The unparsed answer of `POST /retrieve`.
    package func retrieveText(_ request: RetrievalRequest) async throws -> String {
        String(decoding: try await send("/retrieve", request, nil), as: UTF8.self)
    }

    func ask<Answer: Decodable>(
        _ path: String,
        _ body: some Encodable,
        _ timeout: Duration?
    ) async throws -> Answer {
        try Self.decode(try await send(path, body, timeout), of: path)
    }

    private func send(_ path: String, _ body: some Encodable, _ timeout: Duration?) async throws -> Data {
        let call = Call(
            method: .POST,
            path: path,
            body: try JSONEncoder().encode(body),
            tellsDeadline: true,
            timeout: timeout ?? options.timeout
        )
        return try await data.send(call)
    }

    static func decode<Answer: Decodable>(_ body: Data, of path: String) throws(DimeRecError) -> Answer {
        do {
            return try JSONDecoder().decode(Answer.self, from: body)
        } catch {
            throw .invalidAnswer(url: path, status: 200, reason: "\(error)")
        }
    }

    /// Percent-encodes a text as one path segment.
    static func segment(_ text: String) -> String {
        let safe = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: safe) ?? text
    }

    private struct Results: Decodable {
        let results: [BatchResult]
    }

    private struct Similarity: Encodable {
        let item: String
        let k: Int?
    }
}
