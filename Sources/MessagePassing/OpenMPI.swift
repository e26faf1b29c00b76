#if MPI
import COpenMPI
import Foundation
import Training

/// The processes of a launch, connected by Open MPI.
///
/// Only one thread at a time may use it. MPI ends all processes when one of them is lost.
final class OpenMPI: Communicator {
    let rank: Int
    let count: Int
    let machine: String

    /// Connects to the other processes.
    init(_ launch: Launch) throws(LaunchError) {
        mpi_start()
        rank = Int(mpi_rank())
        count = Int(mpi_size())
        machine = Self.machineName()
        guard count == launch.processes else {
            throw .otherSize(launched: launch.processes, connected: count)
        }
    }

    /// Waits for all processes and ends the connection.
    func end() { mpi_end() }

    func allToAll(_ messages: [[UInt8]]) throws(CommunicationError) -> [[UInt8]] {
        precondition(messages.count == count, "\(messages.count) messages for \(count) ranks")
        let sent = messages.map { Int64($0.count) }
        var received = [Int64](repeating: 0, count: count)
        unsafe mpi_all_to_all(sent, &received)
        let (out, into) = (try Layout(sent), try Layout(received))
        let bytes = messages.reduce(into: []) { $0 += $1 }
        var result = [UInt8](repeating: 0, count: into.total)
        unsafe mpi_all_to_all_bytes(bytes, out.counts, out.places, &result, into.counts, into.places)
        return into.divided(result)
    }

    func allGather(_ message: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
        var received = [Int64](repeating: 0, count: count)
        unsafe mpi_all_gather(Int64(message.count), &received)
        let into = try Layout(received)
        var result = [UInt8](repeating: 0, count: into.total)
        unsafe mpi_all_gather_bytes(message, into.counts[rank], &result, into.counts, into.places)
        return into.divided(result)
    }

    func broadcast(_ message: [UInt8]) -> [UInt8] {
        var size = Int64(message.count)
        unsafe mpi_broadcast(&size, Int32(MemoryLayout<Int64>.size))
        var bytes = rank == 0 ? message : [UInt8](repeating: 0, count: Int(size))
        unsafe bytes.withUnsafeMutableBytes { buffer in
            for start in stride(from: 0, to: buffer.count, by: Self.pieceBytes) {
                let piece = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: buffer[start..<min(start + Self.pieceBytes, buffer.count)]
                )
                unsafe mpi_broadcast(piece.baseAddress, Int32(piece.count))
            }
        }
        return bytes
    }

    /// The most bytes of a broadcast by one call of MPI, whose counts have 32 bits.
    private static let pieceBytes = 1 << 30

    private static func machineName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "an unnamed machine" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Where the messages of all ranks lie in one buffer.
    private struct Layout {
        var counts: [Int32] = []
        var places: [Int32] = []
        var total = 0

        init(_ sizes: [Int64]) throws(CommunicationError) {
            let all = sizes.reduce(0, +)
            guard all <= Int32.max else { throw .tooLarge(bytes: Int(all), limit: Int(Int32.max)) }
            for size in sizes {
                counts.append(Int32(size))
                places.append(Int32(total))
                total += Int(size)
            }
        }

        func divided(_ bytes: [UInt8]) -> [[UInt8]] {
            zip(places, counts).map { Array(bytes[Int($0)..<Int($0) + Int($1)]) }
        }
    }
}
#endif
