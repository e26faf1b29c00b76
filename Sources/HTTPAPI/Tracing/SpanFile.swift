import Foundation
import NIOCore
import Serving
import Synchronization

/// Writes the spans of sampled requests to TRACE_FILE, one line a request.
///
/// The format is the JSON form of OpenTelemetry's protocol (OTLP 1, `TracesData`); a collector's `otlpjsonfile`
/// receiver reads it.
///
/// A request has one span from its arrival to its written answer, with a child span for each stage. When too many
/// requests wait to be written, further ones are dropped and counted: an event loop never waits for the disk. The file
/// is only appended to, so other programs may move or truncate it. The service keeps writing to a moved file until the
/// restart.
final class SpanFile: Sendable {
    /// The most requests that may wait.
    private static let capacity = 1024

    private struct State {
        var waiting: [Outcome] = []
        var counts = Counts()
    }

    /// The outcomes of sampled requests.
    struct Counts: Equatable {
        var written: UInt64 = 0
        var dropped: UInt64 = 0
    }

    private let file: FileHandle
    private let resource: String
    private let state = Mutex(State())
    private let thread = BackgroundThread(name: "spans")

    /// Opens the file, or creates it.
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

    /// How many requests were written and dropped.
    var counts: Counts { state.withLock(\.counts) }

    /// Queues an answered, sampled request; returns at once.
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

    /// Waits until all queued requests are written.
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
                // A full disk must not leave a partial line.
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

/// The monotonic clock and the wall clock, read at the same moment.
struct Clocks {
    private let uptime = NIODeadline.now()
    private let now = Date.now

    /// The date of a past time.
    func date(of time: NIODeadline) -> Date {
        now - Double(uptime.nanoseconds(since: min(time, uptime))) / 1e9
    }

    /// The nanoseconds since 1970 of a past time.
    func unixNanoseconds(of time: NIODeadline) -> UInt64 {
        UInt64(max(0, now.timeIntervalSince1970) * 1e9) &- uptime.nanoseconds(since: min(time, uptime))
    }
}

extension JSONWriter {
    /// Writes the span of a request and those of its stages, in sequence from the start of the work.
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
            // A child's id must be unique, not random.
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

    /// Writes the times; this format writes 64-bit numbers as strings.
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
