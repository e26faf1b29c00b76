import Autodiff
import Kernels

/// The rule-based module (method, section 3.1, equation 15): the K newest items, oldest first, with zero rows in
/// front of short histories.
struct RuleBasedGuidance: InterestModule {
    let configuration: DimeRecConfiguration

    var layout: ParameterLayout { [:] }

    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable {
        items.newestRows(configuration.interests, of: histories)
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        NewestItems(items: items, count: configuration.interests)
    }
}

/// The rule-based module for serving.
private struct NewestItems: InterestExtractor {
    let items: Matrix
    let count: Int

    func makeScratch() {}

    func interests(of history: ArraySlice<Int32>, scratch: inout Void, into interests: inout [Float], at start: Int) {
        let d = items.columns
        let newest = history.suffix(count)
        precondition(!newest.isEmpty, "an empty history has no newest item")
        var next = start + (count - newest.count) * d
        for place in start..<next { interests[place] = 0 }
        for item in newest {
            for value in items.elements[Int(item) * d..<(Int(item) + 1) * d] {
                interests[next] = value
                next += 1
            }
        }
    }
}

extension Variable {
    /// The `count` newest rows of each history of row numbers, side by side; see ``newestRows(_:ends:firsts:)``.
    func newestRows(_ count: Int, of histories: RaggedRows) -> Variable {
        gatheringRows(histories.ids)
            .newestRows(count, ends: Array(histories.offsets.dropFirst()), firsts: Array(histories.offsets.dropLast()))
    }

    /// The `count` newest rows of each history side by side, `[B, count d]`, with zero rows in front of short
    /// histories.
    ///
    /// - Parameters:
    ///   - count: Rows of each history.
    ///   - ends: For each history, the number of the row after its newest.
    ///   - firsts: For each history, the number of its oldest row.
    /// - Returns: One row for each history.
    func newestRows(_ count: Int, ends: [Int], firsts: [Int]) -> Variable {
        var rows: [Int32] = []
        var present: [Float] = []
        for (first, end) in zip(firsts, ends) {
            let missing = max(0, count - (end - first))
            rows += [Int32](repeating: 0, count: missing) + (end - count + missing..<end).map { Int32($0) }
            present += [Float](repeating: 0, count: missing) + [Float](repeating: 1, count: count - missing)
        }
        guard value.rows > 0 else {
            return tape.constant(Matrix(rows: ends.count, columns: count * value.columns))
        }
        return gatheringRows(rows).scalingRows(by: present)
            .reshaped(rows: ends.count, columns: count * value.columns)
    }
}
