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
/// One client serves any number of tasks; it keeps its connections, and they end with the last reference to it. Every call
/// throws ``DimeRecError``, or CancellationError when its task was cancelled.
///
/// A retrieval changes nothing, so it is sent again, to the next address if there are several, when nobody listened, when the
/// connection broke, and when the service answered 503, not before its Retry-After: all of that until the call's time is
/// over, which the service is told by `X-Deadline-Ms`. Calls that change what is served are sent again only when the service
/// cannot have seen them or refused them by 503.
public final class DimeRecClient: Sendable {
    /// What a client may be told.
    public struct Options: Sendable {
        /// How long a call of the data plane may take, all attempts together.
        public var timeout: Duration = .seconds(2)
        /// How long one attempt may take before another address is tried; nil is as long as the call.
        public var attemptTimeout: Duration?
        /// How long a connection may take to open.
        public var connectTimeout: Duration = .milliseconds(500)
        /// How many requests one call may send.
        public var attempts = 4
        /// The longest wait after every address was tried once; it doubles with every round.
        public var backoff: Duration = .milliseconds(50)
        /// The longest wait between two rounds.
        public var longestBackoff: Duration = .seconds(1)
        /// Connections that are kept to each address.
        public var connections = 8
        /// The longest answer, in bytes.
        public var answerLimit = 16 << 20
        /// The control plane's address, for calls about models and versions.
        public var controlURL: String?
        /// The control plane's bearer token; sent nowhere else.
        public var token: String?
        /// How long a call of the control plane may take, such as an activation that is waited for.
        public var controlTimeout: Duration = .seconds(60)

        /// The defaults.
        public init() {}
    }

    let control: Caller?
    let options: Options
    private let data: Caller

    /// A client of one address.
    ///
    /// - Parameters:
    ///   - url: The data plane, such as http://127.0.0.1:8080.
    ///   - options: Time limits, attempts, and where the control plane is.
    /// - Throws: ``DimeRecError/invalidURL(_:)``.
    public convenience init(url: String, options: Options = Options()) throws(DimeRecError) {
        try self.init(urls: [url], options: options)
    }

    /// A client of several replicas: the first address is used until it fails, then the next.
    ///
    /// - Parameters:
    ///   - urls: The data planes, at least one.
    ///   - options: Time limits, attempts, and where the control plane is.
    /// - Throws: ``DimeRecError/invalidURL(_:)``.
    public convenience init(urls: [String], options: Options = Options()) throws(DimeRecError) {
        try self.init(urls: urls, options: options, sleep: { try await Task.sleep(for: $0) })
    }

    /// A client that waits between rounds as a test wants it.
    package init(
        urls: [String],
        options: Options,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) throws(DimeRecError) {
        precondition(options.attempts >= 1, "\(options.attempts) attempts send nothing")
        self.options = options
        let transport = Transport(
            connections: options.connections,
            connectTimeout: options.connectTimeout,
            answerLimit: options.answerLimit
        )
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

    /// Asks what comes next for a history.
    ///
    /// - Parameters:
    ///   - request: The history and what else is asked.
    ///   - timeout: How long this call may take; nil is the options' own.
    /// - Returns: The items that come next, best first.
    /// - Throws: ``DimeRecError``.
    public func retrieve(_ request: RetrievalRequest, timeout: Duration? = nil) async throws -> RetrievalAnswer {
        try await ask("/retrieve", request, timeout)
    }

    /// Asks for several histories at once, which costs less than asking one by one.
    ///
    /// - Parameters:
    ///   - requests: At least one, and not more than the service's MAX_BATCH.
    ///   - timeout: How long this call may take; nil is the options' own.
    /// - Returns: For each request, in their order, its answer or its problem.
    /// - Throws: ``DimeRecError``.
    public func retrieveBatch(_ requests: [RetrievalRequest], timeout: Duration? = nil) async throws -> [BatchResult] {
        let results: Results = try await ask("/retrieve:batch", ["requests": requests], timeout)
        guard results.results.count == requests.count else {
            let reason = "\(results.results.count) results for \(requests.count) requests"
            throw DimeRecError.invalidAnswer(url: "/retrieve:batch", status: 200, reason: reason)
        }
        return results.results
    }

    /// Asks for the items that are most like another.
    ///
    /// - Parameters:
    ///   - item: The id of an item of the catalogue.
    ///   - k: How many items to answer; nil is the service's default.
    ///   - timeout: How long this call may take; nil is the options' own.
    /// - Returns: The items, best first.
    /// - Throws: ``DimeRecError``; an unknown item is a problem of status 404.
    public func similar(to item: String, k: Int? = nil, timeout: Duration? = nil) async throws -> SimilarAnswer {
        try await ask("/v1/similar", Similarity(item: item, k: k), timeout)
    }

    /// Asks what the catalogue knows of an item; an unknown one is answered as not known.
    public func item(_ id: String, timeout: Duration? = nil) async throws -> ItemDescription {
        let path = "/v1/items/" + Self.segment(id)
        let call = Call(path: path, tellsDeadline: true, timeout: timeout ?? options.timeout)
        return try Self.decode(try await data.send(call), of: path)
    }

    /// Whether one of the addresses is ready to answer; each is asked once.
    public func isReady() async -> Bool {
        await data.succeeds(Call(path: "/health/ready", timeout: options.timeout))
    }

    /// The answer of `POST /retrieve` as the service wrote it.
    package func retrieveText(_ request: RetrievalRequest) async throws -> String {
        String(decoding: try await send("/retrieve", request, nil), as: UTF8.self)
    }

    private func ask<Answer: Decodable>(
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

    /// A text as one segment of a path.
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
