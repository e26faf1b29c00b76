import Foundation
import Kernels
import Training

/// Rows of user, item and time.
typealias LogRow = (user: String, item: String, time: String)

/// A CSV file with the given rows; every id is quoted.
func csv(_ rows: [LogRow]) -> String {
    func quoted(_ text: String) -> String { "\"\(text.replacing("\"", with: "\"\""))\"" }
    let lines = rows.map { "\(quoted($0.user)),\(quoted($0.item)),\($0.time)" }
    return (["user,item,timestamp"] + lines).joined(separator: "\n") + "\n"
}

/// The report on rows.
func report(on rows: [LogRow]) throws -> LogReport { try report(on: csv(rows)) }

/// The report on a file's text.
func report(on text: String) throws -> LogReport { try withFile(text) { try LogReport(events: $0) } }

/// Rows of some users with ordinals as times, in random order of users.
func randomRows(users: Int, items: Int, longest: Int, seed: UInt64) -> [LogRow] {
    let sequences = randomSequences(users: users, items: items, longest: longest, seed: seed)
    var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .shuffle))
    return (0..<users).flatMap { user in
        sequences[user].enumerated().map { ("u\(user)", "i\($1)", "\($0)") }
    }.shuffled(using: &generator)
}
