package import Autodiff
import Dispatch
import Kernels
import Synchronization

extension Ranks {
    /// The sum of the shards of all ranks, with the bits that a single process computes; all ranks call it.
    ///
    /// Each rank owns a part of every gradient. It gets this part of all shards, adds them in the order of shards, and
    /// sends the sum to all ranks. So the order of every addition is that of a single process.
    ///
    /// - Parameters:
    ///   - own: The gradients of this rank's share of the shards, in their order.
    ///   - parameters: The parameters of the gradients.
    ///   - divided: Tables of which each rank keeps the rows that it owns, and needs no gradients of others.
    /// - Returns: The sum; rows of tables are added up already. Rows of divided tables are this rank's alone, under their
    ///   places among its own.
    /// - Throws: ``CommunicationError``.
    /// - Complexity: A rank receives its part of the shards of others, and the sums of others' parts.
    package func sum(
        _ own: [ShardGradients],
        of parameters: ParameterSet,
        divided: Set<String> = []
    ) throws -> ShardGradients {
        guard count > 1 else { return .sum(own) }
        let ownership = GradientOwnership(count: count)
        let parts = try allToAll(messages(of: own, ownership), for: .step)
        // Ranks have consecutive shards, so their order is the order of shards.
        var sum = ShardGradients.sum(try concurrently(count) { try Self.shards(parts[$0], from: $0) }.flatMap { $0 })
        ownership.merge(&sum.gradients)
        let kept = sum.gradients.rows.filter { divided.contains($0.key) }
        for name in divided { sum.gradients.rows[name] = nil }
        let sums = try allGather(Self.message(of: [sum]), for: .step)
        countStep()
        let all = try concurrently(count) { try Self.shards(sums[$0], from: $0) }.flatMap { $0 }
        guard all.count == count else { throw CommunicationError.unreadable(rank: 0) }
        var gradients = ownership.whole(all.map(\.gradients), parameters: parameters)
        gradients.rows.merge(kept) { $1 }
        return ShardGradients(gradients: gradients, terms: sum.terms)
    }

    /// The message to each rank: its part of each shard.
    private func messages(of shards: [ShardGradients], _ ownership: GradientOwnership) throws -> [[UInt8]] {
        let count = count
        let parts = try concurrently(shards.count * count) { index in
            let shard = shards[index / count]
            let part = ownership.part(of: shard.gradients, owner: index % count)
            return Self.message(of: [ShardGradients(gradients: part, terms: shard.terms)])
        }
        return (0..<count).map { rank in
            shards.indices.reduce(into: []) { $0 += parts[$1 * count + rank] }
        }
    }

    private static func message(of shards: [ShardGradients]) -> [UInt8] {
        var writer = LittleEndianWriter()
        for shard in shards { writer.append(shard) }
        return writer.bytes
    }

    private static func shards(_ message: [UInt8], from rank: Int) throws -> [ShardGradients] {
        var (reader, shards) = (LittleEndianReader(message), [ShardGradients]())
        while reader.remaining > 0 {
            guard let shard = reader.shardGradients() else { throw CommunicationError.unreadable(rank: rank) }
            shards.append(shard)
        }
        return shards
    }
}

/// The results of a function for 0, 1, ..., `count - 1`, computed on as many threads as there are cores.
///
/// - Throws: The first error in the order of results.
func concurrently<Value: Sendable>(_ count: Int, _ body: @Sendable (Int) throws -> Value) throws -> [Value] {
    let results = Mutex([Result<Value, any Error>?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: count) { index in
        let result = Result { try body(index) }
        results.withLock { $0[index] = result }
    }
    return try results.withLock { $0 }.compactMap { try $0?.get() }
}
