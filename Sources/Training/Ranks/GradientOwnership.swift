import Autodiff
import Kernels

/// Divides the gradients of a step among ranks: each owns a stretch of every whole parameter and every `count`-th row of
/// every table.
///
/// The rows of popular items often have neighbouring numbers, so stretches of a table would be unequal work.
struct GradientOwnership {
    /// The number of ranks.
    let count: Int

    /// The part of some gradients that a rank owns: parameters as `[1, n]`, rows under their numbers at the owner.
    func part(of gradients: Gradients, owner: Int) -> Gradients {
        var part = Gradients()
        part.dense = gradients.dense.mapValues { matrix in
            let range = matrix.count * owner / count..<matrix.count * (owner + 1) / count
            return Matrix(rows: 1, columns: range.count, elements: Array(matrix.elements[range]))
        }
        part.rows = gradients.rows.mapValues { parts in
            parts.map { part in
                let places = part.rows.indices.filter { Int(part.rows[$0]) % count == owner }
                return RowGradient(
                    rows: places.map { part.rows[$0] / Int32(count) },
                    gradient: part.gradient.gatheringRows(places.map(Int32.init))
                )
            }
        }
        return part
    }

    /// Adds up the rows of an owner's part: one row for each distinct number.
    func merge(_ part: inout Gradients) {
        for name in part.rows.keys { part.rows[name] = [part.merged(name)] }
    }

    /// The gradients whose parts the ranks own; the parts are in the order of ranks.
    func whole(_ parts: [Gradients], parameters: ParameterSet) -> Gradients {
        var whole = Gradients()
        guard let first = parts.first else { return whole }
        for name in first.dense.keys {
            let elements = parts.flatMap { $0.dense[name]?.elements ?? [] }
            let (rows, columns) = (parameters[name].rows, parameters[name].columns)
            whole.dense[name] = Matrix(rows: rows, columns: columns, elements: elements)
        }
        for name in first.rows.keys {
            whole.rows[name] = parts.enumerated().flatMap { owner, part in
                (part.rows[name] ?? []).map { rows in
                    RowGradient(rows: rows.rows.map { $0 * Int32(count) + Int32(owner) }, gradient: rows.gradient)
                }
            }
        }
        return whole
    }
}
