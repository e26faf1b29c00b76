import Dispatch
import Foundation
import Kernels
import Synchronization

/// One thread that runs work in order, with the processor time that the event loops leave.
///
/// Its priority is the lowest. A thread cannot raise it again, so this is not a pool's thread. It ends after its
/// queued work when its last reference is gone.
package final class BackgroundThread: Sendable {
    private final class Queue: Sendable {
        let work = Mutex<[(@Sendable () -> Void)?]>([])
        let filled = DispatchSemaphore(value: 0)

        func append(_ item: (@Sendable () -> Void)?) {
            work.withLock { $0.append(item) }
            filled.signal()
        }

        /// Waits for the next item; nil ends the thread.
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

    /// Adds work to the end of the queue.
    package func async(_ work: @escaping @Sendable () -> Void) { queue.append(work) }
}
