import Dispatch
import Foundation
import Kernels
import Synchronization

/// One thread that runs work in order, on what the event loops leave of the processor.
///
/// Its priority is the lowest, and a thread cannot take that back, so it is not one of a pool. It ends with the last
/// reference to it, after the work it was given.
package final class BackgroundThread: Sendable {
    private final class Queue: Sendable {
        let work = Mutex<[(@Sendable () -> Void)?]>([])
        let filled = DispatchSemaphore(value: 0)

        func append(_ item: (@Sendable () -> Void)?) {
            work.withLock { $0.append(item) }
            filled.signal()
        }

        /// Waits for the next item; nil is the end.
        func next() -> (@Sendable () -> Void)? {
            filled.wait()
            return work.withLock { $0.removeFirst() }
        }
    }

    private let queue = Queue()

    /// A running thread.
    package init(name: String) {
        let thread = Thread { [queue] in
            CPU.lowerThreadPriority()
            while let work = queue.next() { work() }
        }
        thread.name = name
        thread.start()
    }

    deinit { queue.append(nil) }

    /// Adds work behind what was given before.
    package func async(_ work: @escaping @Sendable () -> Void) { queue.append(work) }
}
