import Dispatch
import Synchronization
package import SystemPackage

/// Lines of a log on their way to a file descriptor that may be slow, full or gone.
///
/// Whoever logs only appends to a buffer; one queue writes, in the order in which lines came. Lines that find no room, or
/// that the descriptor refuses, are dropped and counted. The process must ignore SIGPIPE, or a reader that goes away ends it.
package final class LogSink: Sendable {
    private struct State {
        /// Whole lines that wait to be written.
        var waiting: [UInt8] = []
        var lines = 0
        var isWriting = false
        /// Whether the descriptor may have taken a part of a line only.
        var isTorn = false
        var dropped = 0
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "log")
    private let descriptor: FileDescriptor
    private let capacity: Int

    /// Writes to a descriptor, which stays the caller's.
    ///
    /// - Parameters:
    ///   - descriptor: Where to.
    ///   - capacity: How many bytes may wait, besides those that are being written.
    package init(descriptor: FileDescriptor, capacity: Int = 1 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// How many lines were lost since the start; lines that were written in part count too.
    package var dropped: Int { state.withLock(\.dropped) }

    /// Takes a line, which ends in a line feed, without waiting for anything.
    package func write(_ line: [UInt8]) {
        let mustStart = state.withLock { state in
            guard state.waiting.count + line.count <= capacity else {
                state.dropped += 1
                return false
            }
            state.waiting.append(contentsOf: line)
            state.lines += 1
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { queue.async { [self] in drain() } }
    }

    /// Waits until what was taken before is written or dropped, but not for ever.
    ///
    /// - Returns: Whether nothing is left.
    @discardableResult
    package func flush(within milliseconds: Int) -> Bool {
        let end = DispatchSemaphore(value: 0)
        queue.async { end.signal() }
        return end.wait(timeout: .now() + .milliseconds(milliseconds)) == .success
    }

    private func drain() {
        while let (bytes, lines, isTorn) = next() {
            do {
                if isTorn { try descriptor.writeAll([UInt8(ascii: "\n")]) }
                try descriptor.writeAll(bytes)
                state.withLock { $0.isTorn = false }
            } catch {
                state.withLock { state in
                    state.isTorn = true
                    state.dropped += lines
                }
            }
        }
    }

    /// Takes everything that waits, or nil.
    private func next() -> (bytes: [UInt8], lines: Int, isTorn: Bool)? {
        state.withLock { state in
            defer {
                state.waiting = []
                state.lines = 0
            }
            state.isWriting = !state.waiting.isEmpty
            return state.isWriting ? (state.waiting, state.lines, state.isTorn) : nil
        }
    }
}
