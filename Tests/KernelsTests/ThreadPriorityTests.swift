import Foundation
import Kernels
import Synchronization
import Testing

@Suite("Thread priority") struct ThreadPriorityTests {
    #if os(Linux)
    /// The nice value of the calling thread: for Linux, process 0 means the calling thread.
    private static func priority() -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }

    @Test("lowers only the calling thread's priority")
    func lowersOneThread() {
        let before = Self.priority()
        let found = Mutex<Int32?>(nil)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            CPU.lowerThreadPriority(nice: 7)
            found.withLock { $0 = Self.priority() }
            done.signal()
        }
        thread.start()
        done.wait()
        #expect(found.withLock { $0 } == max(7, before))
        #expect(Self.priority() == before)
    }
    #endif
}
