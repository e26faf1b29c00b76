import CKernels

/// A set of row numbers below a bound, one bit each.
///
/// A membership test reads one bit of memory, so a search can test every candidate. Complexity: O(1) for an element,
/// O(bound / 64) for set algebra.
public struct ItemSet: Sendable, Equatable, Sequence {
    /// All elements are below this bound.
    public private(set) var bound: Int
    /// The number of elements.
    public private(set) var count: Int
    /// Bit `i % 64` of word `i / 64` is element `i`.
    private(set) var words: [UInt64]

    /// An empty set, or the set of all numbers below `bound`.
    public init(bound: Int, full: Bool = false) {
        precondition(bound >= 0, "a bound of \(bound)")
        self.bound = bound
        words = [UInt64](repeating: full ? .max : 0, count: (bound + 63) / 64)
        if full, bound % 64 != 0 { words[words.count - 1] = (1 << UInt64(bound % 64)) - 1 }
        count = full ? bound : 0
    }

    /// The set of the given elements; elements outside the bound are ignored.
    public init(_ elements: some Sequence<Int32>, bound: Int) {
        self.init(bound: bound)
        for element in elements { insert(element) }
    }

    /// Whether an element is in the set; false outside the bound.
    public func contains(_ element: Int32) -> Bool {
        guard element >= 0, element < bound else { return false }
        return words[Int(element) >> 6] >> UInt64(element & 63) & 1 == 1
    }

    /// Makes room for elements below a higher bound.
    ///
    /// - Complexity: O(bound / 64).
    public mutating func grow(to bound: Int) {
        precondition(bound >= self.bound, "a bound of \(self.bound) does not grow to \(bound)")
        words.append(contentsOf: repeatElement(0, count: (bound + 63) / 64 - words.count))
        self.bound = bound
    }

    /// Adds an element; ignores an element outside the bound.
    public mutating func insert(_ element: Int32) {
        guard element >= 0, element < bound else { return }
        let bit: UInt64 = 1 << UInt64(element & 63)
        if words[Int(element) >> 6] & bit == 0 {
            words[Int(element) >> 6] |= bit
            count += 1
        }
    }

    /// Removes an element.
    public mutating func remove(_ element: Int32) {
        guard element >= 0, element < bound else { return }
        let bit: UInt64 = 1 << UInt64(element & 63)
        if words[Int(element) >> 6] & bit != 0 {
            words[Int(element) >> 6] &= ~bit
            count -= 1
        }
    }

    /// Adds the elements of another set of the same bound.
    public mutating func formUnion(_ other: ItemSet) {
        unsafe combine(other) { unsafe ck_unite($0, $1, $2) }
    }

    /// Keeps the elements that another set of the same bound also has.
    public mutating func formIntersection(_ other: ItemSet) {
        unsafe combine(other) { unsafe ck_intersect($0, $1, $2) }
    }

    /// Removes the elements of another set of the same bound.
    public mutating func subtract(_ other: ItemSet) {
        unsafe combine(other) { unsafe ck_subtract($0, $1, $2) }
    }

    private mutating func combine(
        _ other: ItemSet,
        _ operation: (UnsafeMutablePointer<UInt64>, UnsafePointer<UInt64>, Int) -> Int
    ) {
        precondition(bound == other.bound, "sets of bounds \(bound) and \(other.bound)")
        count = unsafe words.withUnsafeMutableBufferPointer { own in
            unsafe other.words.withUnsafeBufferPointer { theirs in
                guard let words = own.baseAddress, let others = theirs.baseAddress else { return 0 }
                return unsafe operation(words, others, own.count)
            }
        }
    }

    /// The elements, ascending.
    public func makeIterator() -> Iterator { Iterator(words) }

    /// Walks through the elements in ascending order.
    public struct Iterator: IteratorProtocol {
        private let words: [UInt64]
        private var index = 0
        /// The remaining elements of the current word.
        private var rest: UInt64

        fileprivate init(_ words: [UInt64]) {
            self.words = words
            rest = words.first ?? 0
        }

        /// The next element, or nil after the last.
        public mutating func next() -> Int32? {
            while rest == 0 {
                index += 1
                guard index < words.count else { return nil }
                rest = words[index]
            }
            defer { rest &= rest - 1 }
            return Int32(index * 64 + rest.trailingZeroBitCount)
        }
    }
}
