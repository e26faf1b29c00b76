import Foundation
import Synchronization

/// The processes that train one model together; each has the data, the weights and a share of every batch.
///
/// They are numbered by ranks. Rank 0 decides, saves and publishes.
public final class Ranks: Sendable {
    let communicator: any Communicator
    private let gradientBytes = Atomic(0)
    private let gradientSums = Atomic(0)

    /// The ranks of a connection; by default a process alone.
    public init(_ communicator: any Communicator = SingleProcess()) {
        self.communicator = communicator
    }

    /// The number of processes.
    public var count: Int { communicator.count }

    /// Whether this is rank 0, the only one that saves, publishes and tells the user about it.
    public var isFirst: Bool { communicator.rank == 0 }

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

    /// Bytes of gradients that ranks sent to each other.
    public struct Traffic: Sendable, Equatable {
        /// The bytes of all ranks and steps together, without those that a rank keeps for itself.
        public var bytes: Int
        /// The optimiser steps.
        public var steps: Int
    }

    /// The traffic of all ranks so far; all of them call it.
    public func traffic() throws -> Traffic {
        let own = gradientBytes.load(ordering: .relaxed)
        return Traffic(bytes: try gathered(own).reduce(0, +), steps: gradientSums.load(ordering: .relaxed))
    }

    /// Counts the messages of gradients that this rank received from others in a step.
    func count(gradients messages: [[[UInt8]]]) {
        let received = messages.reduce(0) { sum, messages in
            sum + messages.indices.reduce(0) { $0 + ($1 == communicator.rank ? 0 : messages[$1].count) }
        }
        gradientBytes.wrappingAdd(received, ordering: .relaxed)
        gradientSums.wrappingAdd(1, ordering: .relaxed)
    }
}
