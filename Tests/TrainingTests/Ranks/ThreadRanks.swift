import Foundation
import Synchronization
import Training

/// Runs a body once for each of some ranks, which are threads of this process.
///
/// - Returns: The results in the order of ranks.
func onRanks<Value: Sendable>(
    _ count: Int,
    _ body: @escaping @Sendable (Ranks, ThreadCommunicator) throws -> Value
) throws -> [Value] {
    let board = MessageBoard(count: count)
    let results = Mutex([Result<Value, any Error>?](repeating: nil, count: count))
    let group = DispatchGroup()
    for rank in 0..<count {
        group.enter()
        // Threads of their own, because all ranks wait for each other.
        Thread.detachNewThread {
            let communicator = ThreadCommunicator(rank: rank, board: board)
            let result = Result { try body(Ranks(communicator), communicator) }
            results.withLock { $0[rank] = result }
            group.leave()
        }
    }
    group.wait()
    return try results.withLock { $0 }.compactMap { try $0?.get() }
}

/// A rank that is a thread of this process.
final class ThreadCommunicator: Communicator {
    let rank: Int
    let board: MessageBoard
    private let calls = Atomic(0)
    /// Bytes that other ranks sent to this one by ``allToAll(_:)`` and ``allGather(_:)``.
    let receivedBytes = Atomic(0)

    init(rank: Int, board: MessageBoard) { (self.rank, self.board) = (rank, board) }

    var count: Int { board.count }
    var machine: String { "thread-\(rank)" }

    func allToAll(_ messages: [[UInt8]]) -> [[UInt8]] {
        let received = exchange(messages)
        for (source, message) in received.enumerated() where source != rank {
            receivedBytes.wrappingAdd(message.count, ordering: .relaxed)
        }
        return received
    }

    func allGather(_ message: [UInt8]) -> [[UInt8]] {
        allToAll([[UInt8]](repeating: message, count: count))
    }

    func broadcast(_ message: [UInt8]) -> [UInt8] {
        exchange([[UInt8]](repeating: message, count: count))[0]
    }

    private func exchange(_ messages: [[UInt8]]) -> [[UInt8]] {
        board.exchange(messages, rank: rank, call: calls.wrappingAdd(1, ordering: .relaxed).newValue)
    }
}

/// The messages of all calls of some ranks.
final class MessageBoard: Sendable {
    let count: Int
    private let calls = Mutex<[Int: [Int: [[UInt8]]]]>([:])
    private let arrival = NSCondition()

    init(count: Int) { self.count = count }

    /// Gives the messages of a rank to the others; returns theirs when all have come.
    func exchange(_ messages: [[UInt8]], rank: Int, call: Int) -> [[UInt8]] {
        arrival.lock()
        defer { arrival.unlock() }
        calls.withLock { $0[call, default: [:]][rank] = messages }
        arrival.broadcast()
        let deadline = Date(timeIntervalSinceNow: 300)
        while true {
            let all = calls.withLock { $0[call] } ?? [:]
            if all.count == count { return (0..<count).compactMap { all[$0]?[rank] } }
            guard arrival.wait(until: deadline) else { fatalError("rank \(rank) waits alone in call \(call)") }
        }
    }
}
