import Dispatch
import Synchronization
package import SystemPackage

/// A buffered log writer for a file descriptor that may be slow, full or closed.
///
/// Logging only appends to a buffer. One queue writes the lines in their order of arrival. The sink drops and counts
/// lines when the buffer is full or the descriptor fails. The process must ignore SIGPIPE; otherwise a reader that
/// closes its end kills it.
package final class LogSink: Sendable {
    private struct State {
        /// Whole lines that wait to be written.
        var waiting: [UInt8] = []
        var lines = 0
        var isWriting = false
        /// Whether the last write may have ended in the middle of a line.
        var isTorn = false
        var dropped = 0
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "log")
    private let descriptor: FileDescriptor
    private let capacity: Int

    /// Writes to a descriptor that the caller still owns.
    ///
    /// - Parameters:
    ///   - descriptor: The descriptor to write to.
    ///   - capacity: The most bytes that may wait, not counting the bytes that are being written.
    package init(descriptor: FileDescriptor, capacity: Int = 1 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// How many lines were lost since the start, partly written lines included.
    package var dropped: Int { state.withLock(\.dropped) }

    /// Appends a line, which must end in a line feed.
    ///
    /// Never blocks.
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

    /// Waits until every earlier line is written or dropped, at most for the given time.
    ///
    /// - Returns: Whether no line is left.
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

    /// Takes all waiting bytes; nil when none wait.
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
