import Foundation
import NIOHTTP1
import Synchronization

/// A request to one plane, at any of its addresses.
struct Call {
    var method = HTTPMethod.GET
    /// The path, percent-encoded.
    var path: String
    var headers: [(String, String)] = []
    var body: Data?
    /// Whether the client may retry even if the service may have executed the request.
    var isIdempotent = true
    /// Whether to send the remaining time as X-Deadline-Ms.
    var tellsDeadline = false
    /// How long the call may take, all attempts included.
    var timeout: Duration
}

/// Sends calls to the addresses of one plane, with retries, until one of them answers.
final class Caller: Sendable {
    /// The longest deadline that the service accepts.
    private static let longestDeadline = Duration.seconds(3600)

    private let transport: any Transport
    private let bases: [String]
    private let policy: RetryPolicy
    private let attemptTimeout: Duration?
    private let sleep: @Sendable (Duration) async throws -> Void
    /// The first address of the next call: the one that answered last.
    private let preferred = Atomic(0)

    init(
        bases: [String],
        transport: any Transport,
        policy: RetryPolicy,
        attemptTimeout: Duration?,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) throws(DimeRecError) {
        guard !bases.isEmpty else { throw .invalidURL("") }
        var trimmed: [String] = []
        for base in bases { trimmed.append(try Self.checked(base)) }
        self.bases = trimmed
        self.transport = transport
        self.policy = policy
        self.attemptTimeout = attemptTimeout
        self.sleep = sleep
    }

    private static func checked(_ base: String) throws(DimeRecError) -> String {
        guard let parts = URLComponents(string: base), ["http", "https"].contains(parts.scheme),
            let host = parts.host, !host.isEmpty, parts.query == nil, parts.fragment == nil, parts.user == nil
        else { throw .invalidURL(base) }
        return base.hasSuffix("/") ? String(base.dropLast()) : base
    }

    /// Returns the body of the first answer with a status of 200 to 299.
    ///
    /// Tries the addresses in turn without a pause, and backs off after each full round. Skips an address that answers
    /// 503 with Retry-After for that long.
    func send(_ call: Call) async throws -> Data {
        let clock = ContinuousClock()
        let end = clock.now + call.timeout
        let first = preferred.load(ordering: .relaxed)
        var resting = Array(repeating: clock.now, count: bases.count)
        var random = SystemRandomNumberGenerator()
        var failure: DimeRecError?
        for attempt in 0..<policy.attempts {
            let address = next(first + attempt, resting: resting)
            var wait = resting[address] - clock.now
            if attempt >= bases.count, attempt % bases.count == 0 {
                wait = max(wait, policy.delay(beforeRound: attempt / bases.count, using: &random))
            }
            // A wait beyond the end of the call is useless.
            if let failure, clock.now + wait >= end { throw failure }
            if wait > .zero { try await sleep(wait) }
            let left = clock.now.duration(to: end)
            guard left > .zero else { break }
            let time = call.isIdempotent ? min(left, attemptTimeout ?? left) : left
            do {
                let body = try await attemptOnce(call, at: bases[address], within: time)
                preferred.store(address, ordering: .relaxed)
                return body
            } catch let passing as Passing {
                guard clock.now < end else {
                    let last =
                        if case .deadlineExceeded = passing.error { failure } else { passing.error as DimeRecError? }
                    throw DimeRecError.deadlineExceeded(after: call.timeout, last: last?.description)
                }
                failure = passing.error
                if let rest = passing.retryAfter { resting[address] = clock.now + rest }
            }
        }
        throw failure ?? DimeRecError.deadlineExceeded(after: call.timeout, last: nil)
    }

    /// The address that is available soonest; ties go to the first one from `start`.
    private func next(_ start: Int, resting: [ContinuousClock.Instant]) -> Int {
        let order = bases.indices.map { (start + $0) % bases.count }
        return order.min { resting[$0] < resting[$1] } ?? 0
    }

    /// Whether any address answers a call with 200 to 299; asks each address once.
    func succeeds(_ call: Call) async -> Bool {
        for base in bases {
            let body = try? await attemptOnce(call, at: base, within: call.timeout)
            if body != nil { return true }
        }
        return false
    }

    /// A failure after which a retry may succeed.
    private struct Passing: Error {
        let error: DimeRecError
        var retryAfter: Duration?
    }

    private func attemptOnce(_ call: Call, at base: String, within time: Duration) async throws -> Data {
        var headers = call.headers
        if call.body != nil { headers.append(("Content-Type", "application/json")) }
        if call.tellsDeadline {
            let told = max(.milliseconds(1), min(time, Self.longestDeadline))
            headers.append(("X-Deadline-Ms", "\(Int(told / .milliseconds(1)))"))
        }
        let request = TransportRequest(method: call.method, url: base + call.path, headers: headers, body: call.body)
        let answer: TransportAnswer
        do {
            answer = try await transport.send(request, within: time)
        } catch let failure as TransportFailure {
            throw meaning(of: failure, call, base, time)
        }
        guard !(200..<300 ~= answer.status) else { return answer.body }
        guard let problem = try? JSONDecoder().decode(Problem.self, from: answer.body) else {
            let reason = "it is not a problem document"
            let error = DimeRecError.invalidAnswer(url: base, status: answer.status, reason: reason)
            // A proxy in front of an unavailable service sends its own error page.
            guard answer.status == 503 else { throw error }
            throw Passing(error: error, retryAfter: Self.retryAfter(answer))
        }
        guard answer.status == 503 else { throw DimeRecError.problem(problem) }
        throw Passing(error: .problem(problem), retryAfter: Self.retryAfter(answer))
    }

    private func meaning(of failure: TransportFailure, _ call: Call, _ base: String, _ time: Duration) -> any Error {
        switch failure {
        case .notSent(let reason): return Passing(error: .unreachable(url: base, reason: reason))
        case .lost(let reason):
            let error = DimeRecError.connectionLost(url: base, reason: reason)
            return call.isIdempotent ? Passing(error: error) : error
        case .timedOut:
            let error = DimeRecError.deadlineExceeded(after: time, last: nil)
            return call.isIdempotent ? Passing(error: error) : error
        case .tooLarge(let limit):
            return DimeRecError.invalidAnswer(url: base, status: 200, reason: "it is longer than \(limit) bytes")
        }
    }

    /// Retry-After in seconds; the service does not use the form with a date.
    private static func retryAfter(_ answer: TransportAnswer) -> Duration? {
        guard let text = answer.headers.first(name: "retry-after"), let seconds = Int(text), 0...86_400 ~= seconds
        else { return nil }
        return .seconds(seconds)
    }
}
