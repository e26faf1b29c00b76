import Kernels

/// A log of 60 users with 12 uniformly drawn items each, out of 30.
enum RandomLog {
    static let csv: String = {
        var lines = ["user,item,timestamp"]
        let numbers = CounterBasedGenerator(seed: 6, purpose: .simulation)
        for user in 0..<60 {
            for (time, item) in numbers.integers(below: 30, stream: UInt64(user), count: 12).enumerated() {
                lines.append("u\(user),i\(item),\(time)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }()
}
