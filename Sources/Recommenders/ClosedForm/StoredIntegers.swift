package import Kernels

/// Whole numbers kept in a matrix, as a checkpoint stores them.
///
/// A Float32 holds every integer only up to 2^24. If all numbers are below that bound, each takes one element, as in
/// older versions. Otherwise each takes two, `65536 * first + second`.
package struct StoredIntegers: Sendable {
    /// Numbers below this bound take one element.
    package static let singleBound = 1 << 24
    private static let base = 65_536

    /// The elements, `[rows, columns]` or `[rows, 2 columns]`.
    package let matrix: Matrix
    private let isDouble: Bool

    /// Stores numbers.
    ///
    /// - Parameters:
    ///   - numbers: The numbers, row after row; -1 is allowed and means no number.
    ///   - columns: Numbers per row.
    ///   - bound: A bound above all numbers; it alone decides the form.
    package init(_ numbers: [Int32], columns: Int, below bound: Int) {
        isDouble = bound > Self.singleBound
        let elements =
            isDouble
            ? numbers.flatMap { number in
                let (first, second) = Self.halves(number)
                return [first, second]
            } : numbers.map { Float($0) }
        matrix = Matrix(
            rows: columns == 0 ? 0 : numbers.count / columns,
            columns: isDouble ? 2 * columns : columns,
            elements: elements
        )
    }

    /// Reads stored numbers.
    ///
    /// - Parameters:
    ///   - matrix: The elements.
    ///   - name: The parameter's name, for errors.
    ///   - columns: Numbers per row.
    ///   - range: The allowed range.
    /// - Throws: `ParameterError` for a wrong shape, and for an element that is not a whole number in the range.
    package init(
        stored matrix: Matrix,
        name: String,
        columns: Int,
        in range: Range<Int>
    ) throws(ParameterError) {
        // Twice the columns of a matrix without rows may exceed an Int.
        guard matrix.columns == columns || matrix.columns % 2 == 0 && matrix.columns / 2 == columns else {
            throw .shape(name, expected: [matrix.rows, columns], found: matrix.shape)
        }
        self.matrix = matrix
        isDouble = matrix.columns != columns
        func refusal(row: Int, column: Int, _ found: Float) -> ParameterError {
            let allowed = "a whole number from \(range.lowerBound) to \(range.upperBound - 1)"
            return .value(name, row: row, column: column, found: "\(found)", allowed: allowed)
        }
        for (place, element) in matrix.elements.enumerated() {
            guard element.magnitude < 2_147_483_648, element == element.rounded(.towardZero) else {
                throw refusal(row: place / matrix.columns, column: place % matrix.columns, element)
            }
        }
        for place in 0..<count where !range.contains(self[place]) {
            throw refusal(row: place / columns, column: place % columns, Float(self[place]))
        }
    }

    /// The number of stored numbers.
    package var count: Int { isDouble ? matrix.count / 2 : matrix.count }

    /// The number at a place, counted row after row.
    package subscript(place: Int) -> Int {
        guard isDouble else { return Int(matrix.elements[place]) }
        return Int(matrix.elements[2 * place]) * Self.base + Int(matrix.elements[2 * place + 1])
    }

    private static func halves(_ number: Int32) -> (Float, Float) {
        (Float(number >> 16), Float(number & 0xFFFF))
    }
}
