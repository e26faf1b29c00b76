import FoundationEssentials
import Hummingbird
import Serving

extension ControlPlane {
    /// Operations about single requests.
    var requestOperations: [Operation] {
        [
            Operation(method: .get, path: "/debug/requests", isOpen: false, parameters: ["seconds"]) { request, _ in
                try json(SlowRequestList(requests: metrics.slowRequests(ofLast: try Self.seconds(of: request))))
            }
        ]
    }

    /// The time span of the query, in seconds; by default an hour.
    private static func seconds(of request: Request) throws -> Int {
        guard let text = try query("seconds", of: request) else { return 3600 }
        guard let seconds = Int(text), 1...3600 ~= seconds else {
            throw Problem(.invalidArgument, "'seconds' is '\(text)'; it must be a whole number from 1 to 3600.")
        }
        return seconds
    }
}

private struct SlowRequestList: Encodable {
    let requests: [SlowRequest]
}

/// A slow request.
struct SlowRequest: Encodable {
    struct Stages: Encodable {
        let parse: Double
        let guidance: Double
        let diffusion: Double
        let search: Double
        let encode: Double
    }

    let id: String
    /// The id of the request's trace.
    let traceId: String?
    let route: String
    let status: Int
    let model: String?
    let version: Int?
    /// How many history ids were read, summed over a batch.
    let historyLength: Int
    let k: Int
    /// The time from arrival to the written answer, including the wait.
    ///
    /// This and the next times are in microseconds.
    let durationUs: Double
    let waitUs: Double
    let stagesUs: Stages
    /// When the answer was written.
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
