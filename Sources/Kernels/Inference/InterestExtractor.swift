import CKernels

/// A guidance module's weights in the layout for serving: one history at a time.
///
/// An extractor is immutable and shared by all threads. Each thread uses it through its own reader.
public protocol InterestExtractor: Sendable {
    /// Reusable memory for one call at a time.
    associatedtype Scratch

    /// Scratch memory for any history.
    func makeScratch() -> Scratch

    /// Computes the module's interests for one history, not yet normalised to length one.
    ///
    /// - Parameters:
    ///   - history: Item rows, oldest first, not empty.
    ///   - scratch: Memory from ``makeScratch()``.
    ///   - interests: Receives `K d` values from `start` on, interest after interest.
    ///   - start: The position of the first value.
    /// - Complexity: Allocates nothing once `scratch` was used for a history of this length.
    func interests(of history: ArraySlice<Int32>, scratch: inout Scratch, into interests: inout [Float], at start: Int)
}

extension InterestExtractor {
    /// The extractor with its own scratch memory, for one thread.
    public func makeReader() -> any HistoryReader { Reader(self) }
}

/// An ``InterestExtractor`` of any type with its scratch memory, for one thread at a time.
public protocol HistoryReader: AnyObject {
    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    func interests(of history: ArraySlice<Int32>, into interests: inout [Float], at start: Int)
}

private final class Reader<Extractor: InterestExtractor>: HistoryReader {
    private let extractor: Extractor
    private var scratch: Extractor.Scratch

    init(_ extractor: Extractor) {
        self.extractor = extractor
        scratch = extractor.makeScratch()
    }

    func interests(of history: ArraySlice<Int32>, into interests: inout [Float], at start: Int) {
        extractor.interests(of: history, scratch: &scratch, into: &interests, at: start)
    }
}

extension Matrix {
    /// Traps unless a history has 1 to `longest` items, each item is a row, and `count` values fit into `out` at
    /// `start`.
    func requireHistory(_ history: ArraySlice<Int32>, longest: Int, count: Int, at start: Int, in out: [Float]) {
        precondition(1...longest ~= history.count, "a history of \(history.count) items for 1...\(longest)")
        precondition(
            start >= 0 && start + count <= out.count,
            "interests of \(count) values from \(start) in \(out.count)"
        )
        for id in history { precondition(id >= 0 && Int(id) < rows, "item row \(id) of \(rows)") }
    }

    /// Copies rows one after another to the front of a reused array.
    func copyRows(_ ids: ArraySlice<Int32>, into out: inout [Float]) {
        precondition(ids.count * columns <= out.count, "\(ids.count) rows of \(columns) into \(out.count) places")
        withPointer { rows in
            unsafe ids.withUnsafeBufferPointer { ids in
                guard let first = ids.baseAddress else { return }
                unsafe ck_gather_rows(rows, first, ids.count, columns, &out)
            }
        }
    }
}
