import FoundationEssentials
import Hummingbird
import Serving

extension ControlPlane {
    /// What tells of single requests.
    var requestOperations: [Operation] {
        [
            Operation(method: .get, path: "/debug/requests", isOpen: false) { request, _ in
                try json(SlowRequestList(requests: metrics.slowRequests(ofLast: try Self.seconds(of: request))))
            }
        ]
    }

    /// How far back the query asks for; an hour unless it says.
    private static func seconds(of request: Request) throws -> Int {
        guard let text = try query("seconds", of: request) else { return 3600 }
        guard let seconds = Int(text), 1...3600 ~= seconds else {
            throw Problem(.invalidArgument, "'seconds' is '\(text)'; it must be 1 to 3600.")
        }
        return seconds
    }
}

private struct SlowRequestList: Encodable {
    let requests: [SlowRequest]
}

/// A request that took long.
struct SlowRequest: Encodable {
    struct Stages: Encodable {
        let parse: Double
        let guidance: Double
        let diffusion: Double
        let search: Double
        let encode: Double
    }

    let id: String
    /// Of the trace that it is part of.
    let traceId: String?
    let route: String
    let status: Int
    let model: String?
    let version: Int?
    /// Ids that were looked at, over all requests of a batch.
    let historyLength: Int
    let k: Int
    /// From its arrival to its written answer, the wait included; like the following in microseconds.
    let durationUs: Double
    let waitUs: Double
    let stagesUs: Stages
    /// When its answer was written.
    let at: String

    init(_ outcome: Outcome, date: Date) {
        func microseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1000 }
        id = String(decoding: outcome.head.requestID, as: UTF8.self)
        traceId = outcome.trace.map { hexadecimal($0.traceID, digits: 32) }
        route = outcome.route.name
        status = outcome.head.status
        model = outcome.model?.name
        version = outcome.model?.version
        historyLength = outcome.historyIDs
        k = outcome.k
        durationUs = microseconds(outcome.duration)
        waitUs = microseconds(outcome.start.nanoseconds(since: outcome.arrival))
        stagesUs = Stages(
            parse: microseconds(outcome.times.parse),
            guidance: microseconds(outcome.times.guidance),
            diffusion: microseconds(outcome.times.diffusion),
            search: microseconds(outcome.times.search),
            encode: microseconds(outcome.times.encode)
        )
        at = Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(date)
    }
}
