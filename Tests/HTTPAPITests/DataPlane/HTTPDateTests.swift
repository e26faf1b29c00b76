import Foundation
import HTTPAPI
import Testing

@Suite("HTTPDate") struct HTTPDateTests {
    @Test("equals Foundation's date, including leap years and their edges")
    func matchesFoundation() {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        // Steps of 11 days and some hours reach every month and weekday to the year 2400.
        for second in stride(from: 0, to: 13_569_465_600, by: 999_983) {
            let expected = formatter.string(from: Date(timeIntervalSince1970: Double(second)))
            #expect(HTTPDate.format(second) == expected)
        }
        #expect(HTTPDate.format(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(HTTPDate.format(4_107_542_399) == "Sun, 28 Feb 2100 23:59:59 GMT")
    }
}
