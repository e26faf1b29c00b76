import FoundationEssentials
import NIOHTTP1
import Serving

/// The status line and header fields of an answer, written as bytes.
struct ResponseHead {
    var status = 200
    var contentType = "application/json"
    var contentLength = 0
    var requestID: [UInt8]
    var closes: Bool
    var announcesKeepAlive = false
    var retryAfter: Int?
    var allow: String?
    var serverTiming: StageTimes?
    /// The trace to name in the answer; nil to name none.
    var trace: TraceContext?

    /// Appends the head and its final empty line.
    func write(to bytes: inout [UInt8], date: inout HTTPDate) {
        bytes.append(contentsOf: "HTTP/1.1 ".utf8)
        appendDecimal(status, to: &bytes)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: HTTPResponseStatus(statusCode: status).reasonPhrase.utf8)
        bytes.append(contentsOf: "\r\nContent-Type: ".utf8)
        bytes.append(contentsOf: contentType.utf8)
        bytes.append(contentsOf: "\r\nContent-Length: ".utf8)
        appendDecimal(contentLength, to: &bytes)
        bytes.append(contentsOf: "\r\nDate: ".utf8)
        date.write(to: &bytes)
        bytes.append(contentsOf: "\r\nX-Request-Id: ".utf8)
        bytes.append(contentsOf: requestID)
        if closes {
            bytes.append(contentsOf: "\r\nConnection: close".utf8)
        } else if announcesKeepAlive {
            bytes.append(contentsOf: "\r\nConnection: keep-alive".utf8)
        }
        if let retryAfter {
            bytes.append(contentsOf: "\r\nRetry-After: ".utf8)
            appendDecimal(retryAfter, to: &bytes)
        }
        if let allow {
            bytes.append(contentsOf: "\r\nAllow: ".utf8)
            bytes.append(contentsOf: allow.utf8)
        }
        if let serverTiming {
            write(serverTiming, to: &bytes)
        }
        if let trace {
            bytes.append(contentsOf: "\r\ntraceparent: \(trace.traceparent)".utf8)
            if let state = trace.state { bytes.append(contentsOf: "\r\ntracestate: \(state)".utf8) }
        }
        bytes.append(contentsOf: "\r\n\r\n".utf8)
    }

    /// `Server-Timing` is in milliseconds.
    private func write(_ times: StageTimes, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "\r\nServer-Timing: parse;dur=".utf8)
        appendThousandths(times.parse / 1000, to: &bytes)
        bytes.append(contentsOf: ", guidance;dur=".utf8)
        appendThousandths(times.guidance / 1000, to: &bytes)
        bytes.append(contentsOf: ", diffusion;dur=".utf8)
        appendThousandths(times.diffusion / 1000, to: &bytes)
        bytes.append(contentsOf: ", search;dur=".utf8)
        appendThousandths(times.search / 1000, to: &bytes)
        bytes.append(contentsOf: ", encode;dur=".utf8)
        appendThousandths(times.encode / 1000, to: &bytes)
    }
}

/// The value of the `Date` header, formatted at most once a second.
package struct HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private var second = Int.min
    private var text: [UInt8] = []

    /// Appends the current time.
    mutating func write(to bytes: inout [UInt8]) {
        let now = Int(Date.now.timeIntervalSince1970)
        if now != second {
            second = now
            text = Array(Self.format(now).utf8)
        }
        bytes.append(contentsOf: text)
    }

    /// The IMF-fixdate of RFC 9110 for seconds since 1970, by the Gregorian calendar of 400-year eras.
    package static func format(_ second: Int) -> String {
        let day = second / 86_400
        let time = second % 86_400
        let shifted = day + 719_468
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = (marchMonth + 2) % 12
        let year = shifted / 146_097 * 400 + yearOfEra + (month < 2 ? 1 : 0)
        func pad(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = "\(pad(time / 3600)):\(pad(time / 60 % 60)):\(pad(time % 60))"
        return "\(days[day % 7]), \(pad(dayOfMonth)) \(months[month]) \(year) \(clock) GMT"
    }
}
