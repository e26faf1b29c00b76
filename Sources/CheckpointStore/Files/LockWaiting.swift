import Foundation
import GRDB
import Synchronization

/// How long a statement waits while another process holds the store.
final class LockWaiting: Sendable {
    /// Growing delays, as in SQLite's own handler.
    private static let delays = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.025, 0.025, 0.05, 0.05, 0.1]

    private let seconds: Double
    private let isOver = Atomic(false)

    init(seconds: Double) { self.seconds = seconds }

    /// Makes all waiting statements give up, now and later.
    func stop() { isOver.store(true, ordering: .relaxed) }

    /// Waits a little.
    ///
    /// - Parameter tries: How often the statement has waited already.
    /// - Returns: Whether the statement may try again.
    func wait(after tries: Int) -> Bool {
        guard !isOver.load(ordering: .relaxed) else { return false }
        let waited = (0..<tries).reduce(0) { $0 + Self.delay($1) }
        let delay = min(Self.delay(tries), seconds - waited)
        guard delay > 0 else { return false }
        Thread.sleep(forTimeInterval: delay)
        return true
    }

    /// Repeats work that ends with a lock for which SQLite does not wait, as when two processes create a store at once.
    ///
    /// - Parameter work: Is repeated from the start, for as long as a statement waits in all.
    /// - Returns: The result of `work`.
    /// - Throws: The last error of `work`.
    func retrying<Value>(_ work: () throws -> Value) throws -> Value {
        let end = ContinuousClock.now + .seconds(seconds)
        var tries = 0
        while true {
            do { return try work() } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                guard ContinuousClock.now < end, wait(after: tries) else { throw error }
                tries += 1
            }
        }
    }

    private static func delay(_ number: Int) -> Double { delays[min(number, delays.count - 1)] }
}
