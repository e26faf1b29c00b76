import Kernels

/// An attribute whose values are numbers: an order of the items by value, so that a range is a range of places.
///
/// Beside the order, it keeps the sets of the items below evenly spaced places. A range starts from the nearest of
/// them, so that it touches few items singly. The memory for each item is 8 bytes for the value, 4 for the order and 8
/// for the sets.
struct NumberColumn: Sendable {
    /// Numbers between two ends, each inside or outside of the range.
    struct Range {
        var lower = -Double.infinity
        var upper = Double.infinity
        var holdsLower = true
        var holdsUpper = true
    }

    /// How many sets a large catalogue has.
    private static let stepCount = 64
    /// Smaller catalogues have none.
    private static let fewestItems = 8192

    /// The values by item; NaN where there is none, and no element for items added without one.
    private let values: [Double]
    /// The items with a value, ascending by value, then by number.
    private let order: [Int32]
    /// Set `i` holds the first `(i + 1) * stride` items of the order, the last one all of them.
    private let steps: [ItemSet]
    private let stride: Int

    /// Indexes values by item; NaN is no value.
    ///
    /// - Complexity: O(items * log items).
    init(_ values: [Double]) {
        let order = (0..<Int32(values.count)).filter { !values[Int($0)].isNaN }
            .sorted { (values[Int($0)], $0) < (values[Int($1)], $1) }
        self.init(values, order: order)
    }

    private init(_ values: [Double], order: [Int32]) {
        self.values = values
        self.order = order
        let stride = max(1, (order.count + Self.stepCount - 1) / Self.stepCount)
        self.stride = stride
        var steps: [ItemSet] = []
        if order.count >= Self.fewestItems {
            var set = ItemSet(bound: values.count)
            for start in Swift.stride(from: 0, to: order.count, by: stride) {
                for item in order[start..<min(start + stride, order.count)] { set.insert(item) }
                steps.append(set)
            }
        }
        self.steps = steps
    }

    /// The column with other values of some items; nil removes a value.
    ///
    /// - Complexity: O(items + changes * log changes), without sorting the unchanged items.
    func setting(_ changes: [Int32: Double?]) -> NumberColumn {
        var values = values
        let bound = Int(changes.keys.max() ?? -1) + 1
        if bound > values.count { values += repeatElement(.nan, count: bound - values.count) }
        var changed = ItemSet(bound: values.count)
        for (item, value) in changes {
            values[Int(item)] = value ?? .nan
            changed.insert(item)
        }
        let moved = changes.compactMap { $1 == nil ? nil : $0 }
            .sorted { (values[Int($0)], $0) < (values[Int($1)], $1) }
        var order: [Int32] = []
        order.reserveCapacity(self.order.count + moved.count)
        var next = 0
        for item in self.order where !changed.contains(item) {
            while next < moved.count, (values[Int(moved[next])], moved[next]) < (values[Int(item)], item) {
                order.append(moved[next])
                next += 1
            }
            order.append(item)
        }
        order += moved[next...]
        return NumberColumn(values, order: order)
    }

    /// An item's value, or nil.
    func value(of item: Int32) -> Double? {
        guard Int(item) < values.count, !values[Int(item)].isNaN else { return nil }
        return values[Int(item)]
    }

    /// The items whose values are in at least one of some ranges.
    ///
    /// - Parameters:
    ///   - ranges: Ranges of numbers.
    ///   - bound: The bound of the set, at least the number of items with an element.
    /// - Returns: A set of that bound.
    /// - Complexity: O(items / 64 + items / 128) for each range of many items, O(items of the range) for others.
    func items(in ranges: [Range], bound: Int) -> ItemSet {
        var set = ItemSet(bound: values.count)
        for (position, range) in ranges.enumerated() {
            let places = places(range)
            if steps.isEmpty || places.count <= stride {
                for place in places { set.insert(order[place]) }
            } else if position == 0 {
                set = items(at: places)
            } else {
                set.formUnion(items(at: places))
            }
        }
        set.grow(to: bound)
        return set
    }

    /// The places of a range in the order.
    private func places(_ range: Range) -> Swift.Range<Int> {
        let start = firstPlace { range.holdsLower ? $0 >= range.lower : $0 > range.lower }
        let end = firstPlace { range.holdsUpper ? $0 > range.upper : $0 >= range.upper }
        return start..<max(start, end)
    }

    /// The first place whose value meets a condition that holds from there on.
    private func firstPlace(where condition: (Double) -> Bool) -> Int {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if condition(values[Int(order[middle])]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The items at more places than a stride.
    private func items(at places: Swift.Range<Int>) -> ItemSet {
        // The step at most half a stride from the end, then the one nearest to the start.
        let last = max(0, min(steps.count, (places.upperBound + stride / 2) / stride) - 1)
        var set = steps[last]
        let reached = min((last + 1) * stride, order.count)
        if reached < places.upperBound {
            for place in reached..<places.upperBound { set.insert(order[place]) }
        } else {
            for place in places.upperBound..<reached { set.remove(order[place]) }
        }
        let first = (places.lowerBound + stride / 2) / stride
        if first > 0 { set.subtract(steps[first - 1]) }
        let left = min(first * stride, order.count)
        if left < places.lowerBound {
            for place in left..<places.lowerBound { set.remove(order[place]) }
        } else {
            for place in places.lowerBound..<min(left, places.upperBound) { set.insert(order[place]) }
        }
        return set
    }
}
