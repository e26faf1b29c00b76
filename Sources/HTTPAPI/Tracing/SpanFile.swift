import Foundation
import NIOCore
import Serving
import Synchronization

/// Writes the spans of sampled requests to TRACE_FILE, a line a request, in the JSON form of OpenTelemetry's protocol
/// (OTLP 1, `TracesData`), as a collector's `otlpjsonfile` receiver reads them.
///
/// A request has one span from its arrival to its written answer, with a child for each stage. Requests that come while
/// too many wait to be written are dropped and counted: an event loop never waits for the disk. The file is only ever
/// appended to, so it may be moved away or truncated by others; one that was moved is written to until the restart.
final class SpanFile: Sendable {
    /// How many requests may wait.
    private static let capacity = 1024

    private struct State {
        var waiting: [Outcome] = []
        var counts = Counts()
    }

    /// What came of sampled requests.
    struct Counts: Equatable {
        var written: UInt64 = 0
        var dropped: UInt64 = 0
    }

    private let file: FileHandle
    private let resource: String
    private let state = Mutex(State())
    private let thread = BackgroundThread(name: "spans")

    /// Opens the file, or makes it.
    ///
    /// - Throws: ``ServerError/invalidConfiguration(key:message:)``.
    init(path: String, build: BuildDescription) throws(ServerError) {
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o640])
        }
        guard let file = FileHandle(forWritingAtPath: path) else {
            throw .invalidConfiguration(key: "TRACE_FILE", message: "is '\(path)', which cannot be written to")
        }
        self.file = file
        var writer = JSONWriter()
        writer.raw("{\"resourceSpans\":[{\"resource\":{\"attributes\":[")
        writer.attribute("service.name", build.name)
        writer.raw(",")
        writer.attribute("service.version", build.version)
        writer.raw("]},\"scopeSpans\":[{\"scope\":{\"name\":")
        writer.string(build.name)
        writer.raw("},\"spans\":[")
        resource = String(decoding: writer.bytes, as: UTF8.self)
    }

    /// How many requests were written and dropped so far.
    var counts: Counts { state.withLock(\.counts) }

    /// Takes a request that was answered and is sampled; returns at once.
    func export(_ outcome: Outcome) {
        let isFirst = state.withLock { state in
            guard state.waiting.count < Self.capacity else {
                state.counts.dropped += 1
                return false
            }
            state.waiting.append(outcome)
            return state.waiting.count == 1
        }
        if isFirst { thread.async { [self] in writeWaiting() } }
    }

    /// Waits until everything so far is written.
    func flush() async {
        await withCheckedContinuation { continuation in thread.async { continuation.resume() } }
    }

    private func writeWaiting() {
        var outcomes: [Outcome] = []
        state.withLock { swap(&$0.waiting, &outcomes) }
        var writer = JSONWriter()
        let clocks = Clocks()
        for outcome in outcomes {
            guard let trace = outcome.trace else { continue }
            writer.raw(resource)
            writer.spans(of: outcome, in: trace, clocks)
            writer.raw("]}]}]}\n")
        }
        let isWritten: Bool
        do {
            let end = try file.seekToEnd()
            do {
                try file.write(contentsOf: writer.bytes)
            } catch {
                // A disk that became full must not leave the beginning of a line.
                try? file.truncate(atOffset: end)
                throw error
            }
            isWritten = true
        } catch {
            isWritten = false
        }
        state.withLock { state in
            let count = UInt64(outcomes.count)
            if isWritten { state.counts.written += count } else { state.counts.dropped += count }
        }
    }
}

/// The clock that durations are measured with beside that of the world, read at one moment.
struct Clocks {
    private let uptime = NIODeadline.now()
    private let now = Date.now

    /// The date of a time that is past.
    func date(of time: NIODeadline) -> Date {
        now - Double(uptime.nanoseconds(since: min(time, uptime))) / 1e9
    }

    /// Nanoseconds since 1970 of a time that is past.
    func unixNanoseconds(of time: NIODeadline) -> UInt64 {
        UInt64(max(0, now.timeIntervalSince1970) * 1e9) &- uptime.nanoseconds(since: min(time, uptime))
    }
}

extension JSONWriter {
    /// Writes a request's span and those of its stages, which stand one behind the other from when work began.
    fileprivate mutating func spans(of outcome: Outcome, in trace: TraceContext, _ clocks: Clocks) {
        let arrival = clocks.unixNanoseconds(of: outcome.arrival)
        let start = arrival + outcome.start.nanoseconds(since: outcome.arrival)
        span(trace, trace.span, parent: trace.parent, name: outcome.route.name, kind: 2)
        times(arrival, arrival + outcome.duration)
        raw(",\"attributes\":[")
        attribute("http.route", outcome.route.name)
        raw(",")
        attribute("http.response.status_code", outcome.head.status)
        raw(",")
        attribute("dimerec.request.id", String(decoding: outcome.head.requestID, as: UTF8.self))
        if let model = outcome.model {
            raw(",")
            attribute("dimerec.model.name", model.name)
            raw(",")
            attribute("dimerec.model.version", model.version)
        }
        raw(outcome.head.status >= 500 ? "],\"status\":{\"code\":2}}" : "],\"status\":{}}")
        var begin = start
        for stage in StageLabel.allCases where outcome.times[stage] > 0 {
            raw(",")
            // A child's id need not be random, only its own.
            let id = trace.span &+ UInt64(stage.rawValue + 1)
            span(trace, id == 0 ? .max : id, parent: trace.span, name: stage.name, kind: 1)
            times(begin, begin + outcome.times[stage])
            raw("}")
            begin += outcome.times[stage]
        }
    }

    private mutating func span(_ trace: TraceContext, _ id: UInt64, parent: UInt64?, name: String, kind: Int) {
        raw("{\"traceId\":\"\(hexadecimal(trace.traceID, digits: 32))\",\"spanId\":\"\(hexadecimal(id, digits: 16))\"")
        if let state = trace.state {
            raw(",\"traceState\":")
            string(state)
        }
        if let parent { raw(",\"parentSpanId\":\"\(hexadecimal(parent, digits: 16))\"") }
        raw(",\"flags\":\(trace.flags),\"name\":")
        string(name)
        raw(",\"kind\":\(kind)")
    }

    /// 64-bit numbers are strings in this form.
    private mutating func times(_ start: UInt64, _ end: UInt64) {
        raw(",\"startTimeUnixNano\":\"\(start)\",\"endTimeUnixNano\":\"\(end)\"")
    }

    fileprivate mutating func attribute(_ key: String, _ value: String) {
        raw("{\"key\":\"\(key)\",\"value\":{\"stringValue\":")
        string(value)
        raw("}}")
    }

    fileprivate mutating func attribute(_ key: String, _ value: Int) {
        raw("{\"key\":\"\(key)\",\"value\":{\"intValue\":\"\(value)\"}}")
    }
}
