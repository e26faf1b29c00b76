import CheckpointStore
import Foundation

/// Why ranks cannot train together.
public enum RankError: Error, Equatable, CustomStringConvertible {
    /// A rank could not prepare the training.
    case failed(rank: Int, machine: String, reason: String)
    /// A rank has prepared another training than rank 0.
    case differs(String, rank: Int, machine: String, first: String, own: String)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .failed(let rank, let machine, let reason):
            "Rank \(rank) on \(machine) cannot train: \(reason)"
        case .differs(let what, let rank, let machine, let first, let own):
            "\(what) of rank \(rank) on \(machine) is not that of rank 0: '\(own)' instead of '\(first)'. All ranks need "
                + "the same program, files and options, and CPUs of the same level."
        }
    }
}

extension Ranks {
    /// The job of this rank, after the check that every rank has prepared the same; all ranks call it.
    ///
    /// - Parameter prepared: This rank's job, or why it has none.
    /// - Returns: The job; nil on ranks that leave the report of a failure to rank 0.
    /// - Throws: On rank 0, its own error or ``RankError``.
    public func agreed(on prepared: Result<TrainingJob, any Error>) throws -> TrainingJob? {
        guard count > 1 else { return try prepared.get() }
        let all = try gathered(PreparedRank(prepared, machine: communicator.machine))
        let problem = problem(of: all)
        guard isFirst else { return problem == nil ? try prepared.get() : nil }
        let job = try prepared.get()
        if let problem { throw problem }
        return job
    }

    private func problem(of ranks: [PreparedRank]) -> RankError? {
        for (rank, prepared) in ranks.enumerated() {
            guard let reason = prepared.failure else { continue }
            return .failed(rank: rank, machine: prepared.machine, reason: reason)
        }
        for (rank, prepared) in ranks.enumerated() {
            for (own, first) in zip(prepared.traits, ranks[0].traits) where own.value != first.value {
                return .differs(own.name, rank: rank, machine: prepared.machine, first: first.value, own: own.value)
            }
        }
        return nil
    }
}

/// The outcome of the preparation of a rank, which it sends to the others before the training.
private struct PreparedRank: Codable {
    var machine: String
    var failure: String?
    var traits: [TrainingJob.Trait] = []

    init(_ prepared: Result<TrainingJob, any Error>, machine: String) {
        self.machine = machine
        switch prepared {
        case .success(let job): traits = job.traits
        case .failure(let error): failure = "\(error)"
        }
    }
}
