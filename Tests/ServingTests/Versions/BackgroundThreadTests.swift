import Dispatch
import Foundation
import Serving
import Synchronization
import Testing

@Suite("BackgroundThread") struct BackgroundThreadTests {
    @Test("runs all work in order on one thread, also work given before its end")
    func keepsOrder() {
        let seen = Mutex<[Int]>([])
        let done = DispatchSemaphore(value: 0)
        do {
            let thread = BackgroundThread(name: "test")
            for item in 0..<100 { thread.async { seen.withLock { $0.append(item) } } }
            thread.async { done.signal() }
        }
        done.wait()
        #expect(seen.withLock { $0 } == Array(0..<100))
    }
}
