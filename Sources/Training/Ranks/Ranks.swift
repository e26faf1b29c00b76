import Foundation
import Recommenders
import Synchronization

/// The processes that train one model together; each has the data and a share of every batch.
///
/// They are numbered by ranks. Rank 0 decides, saves and publishes.
public final class Ranks: Sendable {
    let communicator: any Communicator
    private let stepBytes = Atomic(0)
    private let steps = Atomic(0)
    private let validationBytes = Atomic(0)

    /// The ranks of a connection; by default a process alone.
    public init(_ communicator: any Communicator = SingleProcess()) {
        self.communicator = communicator
    }

    /// The number of processes.
    public var count: Int { communicator.count }

    /// Whether this is rank 0, the only one that saves, publishes and tells the user about it.
    public var isFirst: Bool { communicator.rank == 0 }

    /// The rows of a divided table that this rank keeps.
    var rows: RowShare { RowShare(first: communicator.rank, of: count) }

    /// This rank's share of some consecutive parts; lower ranks have lower parts.
    func share(of parts: Int) -> Range<Int> {
        let (rank, count) = (communicator.rank, communicator.count)
        return parts * rank / count..<parts * (rank + 1) / count
    }

    /// A decision of rank 0, on every rank; only rank 0 computes it.
    func decided<Value: Codable>(_ decide: () throws -> Value) throws -> Value {
        guard count > 1 else { return try decide() }
        let message = isFirst ? try JSONEncoder().encode(decide()) : Data()
        return try decoded(communicator.broadcast(Array(message)), from: 0)
    }

    /// The values of all ranks, in the order of ranks.
    func gathered<Value: Codable>(_ value: Value) throws -> [Value] {
        guard count > 1 else { return [value] }
        let messages = try communicator.allGather(Array(JSONEncoder().encode(value)))
        return try messages.enumerated().map { rank, message in try decoded(message, from: rank) }
    }

    private func decoded<Value: Codable>(_ message: [UInt8], from rank: Int) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(message))
        } catch {
            throw CommunicationError.unreadable(rank: rank)
        }
    }

    // MARK: Traffic

    /// Bytes that ranks sent to each other.
    public struct Traffic: Sendable, Equatable {
        /// The bytes of the optimiser steps of all ranks, without those that a rank keeps for itself: gradients, and rows
        /// of a divided item table.
        public var bytes: Int
        /// The optimiser steps.
        public var steps: Int
        /// The bytes of the rows of a divided item table that all ranks exchanged for validations.
        public var validationBytes: Int
    }

    /// The traffic of all ranks so far; all of them call it.
    public func traffic() throws -> Traffic {
        let own = [stepBytes.load(ordering: .relaxed), validationBytes.load(ordering: .relaxed)]
        let all = try gathered(own)
        return Traffic(
            bytes: all.reduce(0) { $0 + $1[0] },
            steps: steps.load(ordering: .relaxed),
            validationBytes: all.reduce(0) { $0 + $1[1] }
        )
    }

    /// The part of a training that messages are counted for.
    enum Purpose {
        case step, validation, state
    }

    /// Sends message `i` to rank `i`, and counts the bytes.
    ///
    /// - Returns: The messages of all ranks to this one, in the order of ranks.
    func allToAll(_ messages: [[UInt8]], for purpose: Purpose) throws -> [[UInt8]] {
        counted(try communicator.allToAll(messages), purpose)
    }

    /// Sends a message to every rank, and counts the bytes.
    ///
    /// - Returns: The messages of all ranks, in the order of ranks.
    func allGather(_ message: [UInt8], for purpose: Purpose) throws -> [[UInt8]] {
        counted(try communicator.allGather(message), purpose)
    }

    /// Counts an optimiser step.
    func countStep() { steps.wrappingAdd(1, ordering: .relaxed) }

    private func counted(_ messages: [[UInt8]], _ purpose: Purpose) -> [[UInt8]] {
        let bytes = messages.indices.reduce(0) { $0 + ($1 == communicator.rank ? 0 : messages[$1].count) }
        switch purpose {
        case .step: stepBytes.wrappingAdd(bytes, ordering: .relaxed)
        case .validation: validationBytes.wrappingAdd(bytes, ordering: .relaxed)
        case .state: break
        }
        return messages
    }
}
