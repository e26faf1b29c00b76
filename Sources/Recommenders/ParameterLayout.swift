import Autodiff
import Kernels

/// The shapes and initial distributions of a model's parameters, by name.
///
/// Stored matrices are checked against a layout, so the sizes in a recipe alone never allocate memory.
public typealias ParameterLayout = [String: InitialParameter]

/// The shape of a parameter, and the distribution from which a fresh model draws it.
public struct InitialParameter: Sendable {
    private enum Values {
        /// The same value everywhere.
        case constant(Float)
        /// Uniform within `sqrt(6 / (rows + columns))`.
        case xavier
        /// Normal with mean 0.
        case normal(deviation: Double)
        /// Normal with mean 0, except for the last column, which is zero.
        case normalWithBias(deviation: Double)
    }

    /// Number of rows.
    public let rows: Int
    /// Number of columns.
    public let columns: Int
    private let values: Values

    /// One value everywhere.
    static func constant(_ value: Float = 0, rows: Int, columns: Int) -> InitialParameter {
        InitialParameter(rows: rows, columns: columns, values: .constant(value))
    }

    /// Uniform within `sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010); shape `[inputs, outputs]`.
    static func xavier(inputs: Int, outputs: Int) -> InitialParameter {
        InitialParameter(rows: inputs, columns: outputs, values: .xavier)
    }

    /// Normal with mean 0.
    static func normal(rows: Int, columns: Int, deviation: Double) -> InitialParameter {
        InitialParameter(rows: rows, columns: columns, values: .normal(deviation: deviation))
    }

    /// Normal rows of length about 1.
    static func unitRows(_ rows: Int, dimension: Int) -> InitialParameter {
        normal(rows: rows, columns: dimension, deviation: 1 / Double(dimension).squareRoot())
    }

    /// Whether rows are drawn by ``unitRows(_:dimension:)``.
    var hasUnitRows: Bool {
        guard case .normal(let deviation) = values else { return false }
        return deviation == 1 / Double(columns).squareRoot()
    }

    /// Normal item rows with a last column of zeros, the biases; shape `[items, dimension + 1]`.
    private static func biasedItems(_ items: Int, dimension: Int, deviation: Double) -> InitialParameter {
        InitialParameter(rows: items, columns: dimension + 1, values: .normalWithBias(deviation: deviation))
    }

    /// Item rows of length about 1 with zero biases; shape `[items, dimension + 1]`.
    static func unitBiasedItems(_ items: Int, dimension: Int) -> InitialParameter {
        biasedItems(items, dimension: dimension, deviation: 1 / Double(dimension).squareRoot())
    }

    /// The last layer of a network over all items: normal rows with the variance of Xavier-uniform ones, and zero
    /// biases; shape `[items, dimension + 1]`.
    static func itemDecoder(_ items: Int, dimension: Int) -> InitialParameter {
        biasedItems(items, dimension: dimension, deviation: (2 / (Double(items) + Double(dimension))).squareRoot())
    }

    /// `[rows, columns]`.
    public var shape: [Int] { [rows, columns] }

    /// Some rows of the matrix of a fresh model, drawn from one stream.
    fileprivate func matrix(_ generator: CounterBasedGenerator, stream: UInt64, _ rows: Range<Int>) -> Matrix {
        func normal(columns: Int, _ deviation: Double) -> Matrix {
            let places = rows.lowerBound * columns..<rows.upperBound * columns
            let elements = generator.normals(stream: stream, range: places)
            var matrix = Matrix(rows: rows.count, columns: columns, elements: elements)
            matrix.scale(by: Float(deviation))
            return matrix
        }
        switch values {
        case .constant(let value):
            return Matrix(rows: rows.count, columns: columns, repeating: value)
        case .xavier:
            let bound = (6 / Double(self.rows + columns)).squareRoot()
            let uniforms = generator.uniforms(stream: stream, count: rows.upperBound * columns)
            let elements = uniforms[(rows.lowerBound * columns)...].map { Float((2 * $0 - 1) * bound) }
            return Matrix(rows: rows.count, columns: columns, elements: elements)
        case .normal(let deviation):
            return normal(columns: columns, deviation)
        case .normalWithBias(let deviation):
            return Matrix(
                joiningColumns: [normal(columns: columns - 1, deviation), Matrix(rows: rows.count, columns: 1)]
            )
        }
    }
}

extension ParameterSet {
    /// The parameters of a fresh model; each parameter draws from its own stream, numbered by a hash of its name.
    ///
    /// - Parameters:
    ///   - layout: The parameters.
    ///   - seed: Seed of the draws.
    ///   - tables: Parameters of which only some rows are made.
    ///   - share: Which rows those are.
    init(_ layout: ParameterLayout, seed: UInt64, tables: Set<String> = [], share: RowShare = .all) {
        let generator = CounterBasedGenerator(seed: seed, purpose: .parameters)
        var matrices: [String: Matrix] = [:]
        for (name, parameter) in layout {
            let stream = stableHash(name.utf8)
            func rows(_ range: Range<Int>) -> Matrix { parameter.matrix(generator, stream: stream, range) }
            matrices[name] =
                tables.contains(name) && share != .all
                ? share.taken(ofRows: parameter.rows, columns: parameter.columns, rows)
                : rows(0..<parameter.rows)
        }
        self.init(matrices)
    }
}

extension TrainedRecommender {
    /// The largest number of weights of a network without its item tables: 2 GiB, and four times that during
    /// training.
    static var mostWeights: Int { 1 << 29 }

    /// Throws if a fresh network would need too much memory.
    ///
    /// - Precondition: Each value of the configuration is within its own range.
    public static func requireSize(
        of configuration: any ModelConfiguration,
        key: String
    ) throws(ConfigurationError) {
        let layout = Self(own(configuration), parameters: ParameterSet()).layout(items: 1)
        let weights = layout.values.reduce(0) { $0 + $1.rows * $1.columns }
        guard weights > mostWeights else { return }
        let largest = layout.max {
            ($0.value.rows * $0.value.columns, $1.key) < ($1.value.rows * $1.value.columns, $0.key)
        }
        throw .invalidValue(
            key: key,
            reason: "the network has \(weights) weights; at most \(mostWeights) are allowed. Its largest parameter is "
                + "'\(largest?.key ?? "")' of shape \(largest?.value.shape ?? []); lower the fields that set its size."
        )
    }

    /// Throws unless the parameters have the layout of the configuration; the number of items is not checked.
    func requireLayout() throws(ParameterError) {
        guard let items = parameters.matrices[ItemTable.name]?.rows else {
            throw ParameterError.missing(ItemTable.name)
        }
        for (name, expected) in layout(items: items).sorted(by: { $0.key < $1.key }) {
            guard let found = parameters.matrices[name] else { throw ParameterError.missing(name) }
            guard found.shape == expected.shape else {
                throw ParameterError.shape(name, expected: expected.shape, found: found.shape)
            }
        }
    }
}
