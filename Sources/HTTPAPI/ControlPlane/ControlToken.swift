import Synchronization

/// The bearer token of the control plane, which an operator may replace while the server runs.
final class ControlToken: Sendable {
    private let bytes: Mutex<[UInt8]>

    /// Starts with a token.
    init(_ token: String) {
        bytes = Mutex(Array(token.utf8))
    }

    /// Makes another token the only valid one.
    func replace(by token: String) {
        bytes.withLock { $0 = Array(token.utf8) }
    }

    /// Compares in constant time: it depends on the candidate's length, not on how many bytes match.
    func matches(_ candidate: [UInt8]) -> Bool {
        let token = bytes.withLock { $0 }
        var difference = candidate.count ^ token.count
        for (position, byte) in candidate.enumerated() {
            difference |= Int(byte ^ token[position % token.count])
        }
        return difference == 0
    }
}
