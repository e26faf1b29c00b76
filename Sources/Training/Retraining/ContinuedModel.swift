import Autodiff
import CheckpointStore
import Kernels
import Recommenders

extension TrainedRecommender {
    /// Replaces the fresh parameters by those of a version.
    ///
    /// Rows of items are carried over by item id, and items that left are dropped. A new item gets the mean of the rows
    /// of its neighbours, or keeps its fresh row if it has none. All other parameters are carried over.
    ///
    /// - Parameters:
    ///   - parent: The version, of the same system.
    ///   - ids: The items of this model.
    ///   - sequences: The training part, in the numbers of this model.
    /// - Throws: ``ContinuationError/otherShape(version:parameter:was:isNow:)`` for a parameter of another shape.
    mutating func adopt(_ parent: ParentVersion, ids: [String], sequences: RaggedRows) throws(ContinuationError) {
        let former = ItemVocabulary(ids: parent.ids)
        let origins = ids.map { former.number(of: $0) }
        let neighbours = ItemNeighbours(of: origins, in: sequences)
        let (own, larger) = (layout(items: ids.count), layout(items: ids.count + 1))
        let expected = layout(items: parent.ids.count)
        for (name, parameter) in expected.sorted(by: { $0.key < $1.key }) {
            guard let stored = parent.parameters[name], stored.shape == parameter.shape else {
                throw .otherShape(
                    version: parent.origin.version,
                    parameter: name,
                    was: parent.parameters[name]?.shape ?? [],
                    isNow: parameter.shape
                )
            }
            let isTable = own[name]?.rows != larger[name]?.rows
            parameters[name] = isTable ? neighbours.table(from: stored, fresh: parameters[name]) : stored
        }
    }
}

/// Where the rows of a continued model's items come from: the row of the same item, or the neighbours of a new one.
struct ItemNeighbours {
    /// How many places before and after an item its neighbours are.
    private static let reach = 5

    /// The former number of each item; nil for a new item.
    private let origins: [Int32?]
    /// For each new item, the former numbers of its neighbours with their counts, in the order of the numbers.
    private let neighbours: [Int: [(item: Int32, count: Float)]]

    /// Counts the neighbours of new items.
    ///
    /// - Parameters:
    ///   - origins: The former number of each item; nil for a new item.
    ///   - sequences: Sequences of item numbers.
    /// - Complexity: O(events of new items).
    init(of origins: [Int32?], in sequences: RaggedRows) {
        var counts: [Int: [Int32: Float]] = [:]
        for user in 0..<sequences.count {
            let sequence = sequences[user]
            for place in sequence.indices {
                let item = Int(sequence[place])
                guard origins[item] == nil else { continue }
                let first = max(sequence.startIndex, place - Self.reach)
                for other in sequence[first..<min(sequence.endIndex, place + Self.reach + 1)] {
                    if let former = origins[Int(other)] { counts[item, default: [:]][former, default: 0] += 1 }
                }
            }
        }
        self.origins = origins
        neighbours = counts.mapValues { counts in
            counts.sorted { $0.key < $1.key }.map { (item: $0.key, count: $0.value) }
        }
    }

    /// A table of one row for each item.
    ///
    /// - Parameters:
    ///   - former: The former table.
    ///   - fresh: A table of this model, for new items without neighbours.
    /// - Returns: The table of this model.
    func table(from former: Matrix, fresh: Matrix) -> Matrix {
        precondition(fresh.rows == origins.count, "\(fresh.rows) rows for \(origins.count) items")
        precondition(fresh.columns == former.columns, "rows of \(fresh.columns) and \(former.columns) columns")
        var table = fresh
        for (item, origin) in origins.enumerated() {
            if let origin {
                table.setRow(item, to: former.row(Int(origin)))
            } else if let neighbours = neighbours[item] {
                table.setRow(item, to: Self.mean(of: neighbours, in: former))
            }
        }
        return table
    }

    private static func mean(of neighbours: [(item: Int32, count: Float)], in table: Matrix) -> [Float] {
        var sum = [Float](repeating: 0, count: table.columns)
        var total: Float = 0
        for (item, count) in neighbours {
            for (column, value) in table.row(Int(item)).enumerated() { sum[column] += count * value }
            total += count
        }
        return sum.map { $0 / total }
    }
}
