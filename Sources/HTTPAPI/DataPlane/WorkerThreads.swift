import Kernels
import NIOCore
import NIOPosix
import Synchronization

/// A request that is too heavy for the event loop that read it.
struct HeavyWork: Sendable {
    /// The whole request.
    let request: IncomingRequest
    /// When it was queued.
    let queued: NIODeadline
    /// Receives the answer, on the worker thread.
    let deliver: @Sendable (Answer) -> Void
}

/// The threads that answer heavy requests in order of arrival, each with its own buffers.
///
/// One queue feeds all threads, so no thread is idle while a request waits behind a longer one. At most `capacity`
/// requests are queued or in progress. A request that has waited longer than the delay limit is refused, because the
/// requests behind it wait even longer.
final class WorkerThreads: Sendable {
    private struct Queue {
        var waiting = CircularBuffer<HeavyWork>()
        var idle: [Int]
        var unfinished = 0
    }

    private let threads: [NIOLoopBound<RequestResponder>]
    private let capacity: Int
    private let delayLimit: TimeAmount
    private let metrics: ServerMetrics
    private let queue: Mutex<Queue>

    /// Turns every loop of a group into a worker.
    ///
    /// - Parameters:
    ///   - group: Loops that nothing else uses. The caller shuts the group down after ``discardWaiting()``.
    ///   - capacity: The most requests that may be queued or in progress.
    ///   - delayLimit: How long a request may be queued.
    ///   - metrics: Counts the queued and running requests.
    ///   - makeResponder: Creates the responder of one thread.
    /// - Throws: An error if the group has been shut down.
    init(
        group: MultiThreadedEventLoopGroup,
        capacity: Int,
        delayLimit: TimeAmount,
        metrics: ServerMetrics,
        makeResponder: @escaping @Sendable () -> RequestResponder
    ) async throws {
        var threads: [NIOLoopBound<RequestResponder>] = []
        for loop in group.makeIterator() {
            let thread = loop.submit {
                // Event loops go first where they share a core with workers.
                CPU.lowerThreadPriority(nice: 5)
                return NIOLoopBound(makeResponder(), eventLoop: loop)
            }
            threads.append(try await thread.get())
        }
        queue = Mutex(Queue(idle: Array(threads.indices)))
        self.threads = threads
        self.capacity = capacity
        self.delayLimit = delayLimit
        self.metrics = metrics
    }

    /// Queues a request.
    ///
    /// - Returns: False if the capacity is reached; the request is then not queued.
    func submit(_ work: HeavyWork) -> Bool {
        let (isAccepted, thread) = queue.withLock { queue -> (Bool, Int?) in
            guard queue.unfinished < capacity else { return (false, nil) }
            queue.unfinished += 1
            let thread = queue.idle.popLast()
            if thread == nil { queue.waiting.append(work) }
            return (true, thread)
        }
        if isAccepted { metrics.addHeavyRequests(1) }
        if let thread { threads[thread].eventLoop.execute { self.answer(work, thread) } }
        return isAccepted
    }

    /// Drops all queued requests that no thread has started.
    func discardWaiting() {
        queue.withLock { queue in
            queue.unfinished -= queue.waiting.count
            metrics.addHeavyRequests(-queue.waiting.count)
            queue.waiting.removeAll()
        }
    }

    /// Answers a request, then the waiting ones.
    private func answer(_ first: HeavyWork, _ thread: Int) {
        let responder = threads[thread].value
        var next: HeavyWork? = first
        while let work = next {
            var request = work.request
            if NIODeadline.now() - work.queued > delayLimit { request.problem = .overloaded }
            let answer = responder.respond(to: request)
            next = queue.withLock { queue in
                queue.unfinished -= 1
                if queue.waiting.isEmpty { queue.idle.append(thread) }
                return queue.waiting.popFirst()
            }
            metrics.addHeavyRequests(-1)
            work.deliver(answer)
        }
    }
}
