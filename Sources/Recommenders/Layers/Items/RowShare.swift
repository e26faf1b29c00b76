public import Kernels

/// Every `count`-th row of a table, from row `first` on.
///
/// Neighbouring numbers often belong to items of about the same popularity, so such shares are about equal work.
public struct RowShare: Sendable, Equatable {
    /// The first row.
    public let first: Int
    /// The number of shares that divide the table.
    public let count: Int

    /// One of `count` shares, numbered from 0.
    public init(first: Int, of count: Int) {
        precondition(0..<count ~= first, "share \(first) of \(count)")
        (self.first, self.count) = (first, count)
    }

    /// All rows.
    public static let all = RowShare(first: 0, of: 1)

    /// The places, within the share, of its rows whose numbers are in a range.
    public func places(of rows: Range<Int>) -> Range<Int> {
        func before(_ row: Int) -> Int { max(0, row - first + count - 1) / count }
        return before(rows.lowerBound)..<before(rows.upperBound)
    }

    /// The rows of this share of a range.
    ///
    /// - Parameters:
    ///   - rows: The rows of the range, in order.
    ///   - start: The number of its first row.
    /// - Returns: The rows of the share among them.
    public func taken(from rows: Matrix, at start: Int) -> Matrix {
        guard self != .all else { return rows }
        let numbers = places(of: start..<start + rows.rows).map { Int32($0 * count + first - start) }
        return rows.gatheringRows(numbers)
    }

    /// The rows of this share of a table that is made block by block, so that it is never whole in memory.
    ///
    /// - Parameters:
    ///   - rows: The number of rows of the table.
    ///   - columns: Its number of columns.
    ///   - make: Makes some consecutive rows.
    /// - Returns: The rows of the share.
    public func taken(
        ofRows rows: Int,
        columns: Int,
        _ make: (Range<Int>) throws -> Matrix
    ) rethrows -> Matrix {
        var elements: [Float] = []
        elements.reserveCapacity(places(of: 0..<rows).count * columns)
        for block in ItemSpace.blocks(of: rows) {
            elements += taken(from: try make(block), at: block.lowerBound).elements
        }
        return Matrix(rows: places(of: 0..<rows).count, columns: columns, elements: elements)
    }
}
