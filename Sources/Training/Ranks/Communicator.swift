/// The connection of a process to the others that train with it.
///
/// The operations are those of the Message Passing Interface (MPI 3.1, chapter 5). All processes call the same ones in
/// the same order, and each call waits for the messages of the others. A process that is lost ends all the others, so no
/// call reports it.
public protocol Communicator: Sendable {
    /// The number of this process, from 0.
    var rank: Int { get }
    /// The number of processes.
    var count: Int { get }
    /// The name of this process's machine, for messages to the user.
    var machine: String { get }

    /// Sends message `i` to rank `i`.
    ///
    /// - Returns: The messages of all ranks to this one, in the order of ranks.
    func allToAll(_ messages: [[UInt8]]) throws(CommunicationError) -> [[UInt8]]

    /// Sends a message to every rank.
    ///
    /// - Returns: The messages of all ranks, in the order of ranks.
    func allGather(_ message: [UInt8]) throws(CommunicationError) -> [[UInt8]]

    /// Sends rank 0's message to every rank; those of other ranks are ignored.
    ///
    /// - Returns: The message of rank 0.
    func broadcast(_ message: [UInt8]) throws(CommunicationError) -> [UInt8]
}

/// A process that trains alone.
public struct SingleProcess: Communicator {
    /// Always 0.
    public var rank: Int { 0 }
    /// Always 1.
    public var count: Int { 1 }
    /// Needs no name.
    public var machine: String { "this machine" }

    /// A process without others.
    public init() {}

    /// The messages themselves.
    public func allToAll(_ messages: [[UInt8]]) -> [[UInt8]] { messages }

    /// The message itself.
    public func allGather(_ message: [UInt8]) -> [[UInt8]] { [message] }

    /// The message itself.
    public func broadcast(_ message: [UInt8]) -> [UInt8] { message }
}

/// Why processes cannot exchange messages.
public enum CommunicationError: Error, Equatable, CustomStringConvertible {
    /// The messages of one call are too large.
    case tooLarge(bytes: Int, limit: Int)
    /// A message that this program did not write.
    case unreadable(rank: Int)

    /// The problem and the next step.
    public var description: String {
        switch self {
        case .tooLarge(let bytes, let limit):
            "The gradients that ranks exchange in a step take \(bytes) bytes, more than the \(limit) of a message. Lower "
                + "training.batchSize, or take sampled negatives in place of the whole catalogue."
        case .unreadable(let rank):
            "Rank \(rank) sent a message that cannot be read. Start the same build of dimerec on all machines."
        }
    }
}
