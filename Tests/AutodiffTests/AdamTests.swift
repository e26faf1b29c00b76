import Autodiff
import Foundation
import Kernels
import TestSupport
import Testing

@Suite("Adam") struct AdamTests {
    private func gradient(_ step: Int, rows: Int = 4) -> Matrix {
        normalMatrix(rows: rows, columns: 3, seed: UInt64(100 + step))
    }

    private func dense(_ matrix: Matrix) -> Gradients {
        var gradients = Gradients()
        gradients.dense["w"] = matrix
        return gradients
    }

    private func rows(_ rows: [Int32], _ matrix: Matrix) -> Gradients {
        var set = ParameterSet(["w": Matrix(rows: 4, columns: 3)])
        set["w"].scale(by: 0)
        let tape = Tape()
        let gathered = tape.gather("w", from: set, rows: rows)
        return tape.backward(from: gathered.multiplied(by: tape.constant(matrix)).sum())
    }

    /// Algorithm 1 of the paper in Double, for one element and its gradients.
    private func recurrence(_ start: Double, _ gradients: [Double], rate: Double, _ b1: Double, _ b2: Double) -> Double
    {
        var (w, m, v) = (start, 0.0, 0.0)
        for (index, g) in gradients.enumerated() {
            let t = Double(index + 1)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g * g
            w -= rate * (m / (1 - pow(b1, t))) / ((v / (1 - pow(b2, t))).squareRoot() + 1e-8)
        }
        return w
    }

    @Test("follows the published recurrence", arguments: [(0.9, 0.999), (0.5, 0.9), (0, 0.99)])
    func matchesRecurrence(b1: Double, b2: Double) {
        let start = normalMatrix(rows: 4, columns: 3, seed: 99)
        var set = ParameterSet(["w": start])
        var adam = Adam(learningRate: 0.01, beta1: b1, beta2: b2)
        let steps = 20
        for step in 0..<steps { adam.update(&set, by: dense(gradient(step))) }
        #expect(adam.step == steps)
        let expected = start.doubles.indices.map { element in
            recurrence(start.doubles[element], (0..<steps).map { gradient($0).doubles[element] }, rate: 0.01, b1, b2)
        }
        // Each step moves by about 0.01, known to 6e-5 relative (see AdamStepTests), and rounds the weight once.
        expectClose(set["w"].elements, expected, absolute: Double(steps) * (0.01 * 6e-5 + 2 * roundoff))
    }

    @Test("lazy updates equal dense Adam when every row is touched at every step")
    func lazyEqualsDense() {
        let start = normalMatrix(rows: 4, columns: 3, seed: 98)
        var (lazySet, denseSet, wholeSet) = (
            ParameterSet(["w": start]), ParameterSet(["w": start]), ParameterSet(["w": start])
        )
        var lazyAdam = Adam(learningRate: 0.01)
        var denseAdam = Adam(learningRate: 0.01, tableUpdate: .dense)
        var wholeAdam = Adam(learningRate: 0.01)
        for step in 0..<10 {
            let order: [Int32] = [2, 0, 3, 1]
            let gradients = rows(order, gradient(step))
            lazyAdam.update(&lazySet, by: gradients)
            denseAdam.update(&denseSet, by: gradients)
            var whole = Matrix(rows: 4, columns: 3)
            whole.scatterAddRows(gradient(step), at: order)
            wholeAdam.update(&wholeSet, by: dense(whole))
        }
        // The same operations on the same numbers, but in vector lanes of other widths, where contraction may differ.
        expectClose(lazySet["w"].elements, wholeSet["w"].doubles, absolute: 1e-6)
        #expect(denseSet["w"] == wholeSet["w"])
    }

    @Test("untouched rows stay still with lazy updates, and move by their momentum with dense updates")
    func lazyDiffers() {
        let start = normalMatrix(rows: 4, columns: 3, seed: 97)
        var (lazySet, denseSet) = (ParameterSet(["w": start]), ParameterSet(["w": start]))
        var lazyAdam = Adam(learningRate: 0.01)
        var denseAdam = Adam(learningRate: 0.01, tableUpdate: .dense)
        func take(_ gradients: Gradients) {
            lazyAdam.update(&lazySet, by: gradients)
            denseAdam.update(&denseSet, by: gradients)
        }
        take(rows([0, 1, 2, 3], gradient(0)))
        let (lazyBefore, denseBefore, momentBefore) = (lazySet["w"], denseSet["w"], lazyAdam.moments)
        take(rows([1], gradient(1, rows: 1)))
        for row in [0, 2, 3] {
            #expect(lazySet["w"].row(row) == lazyBefore.row(row))
            for (name, matrix) in lazyAdam.moments { #expect(momentBefore[name]?.row(row) == matrix.row(row)) }
            let expected = (0..<3).map { column in
                let g = Double(gradient(0)[row, column])
                return recurrence(Double(start[row, column]), [g, 0], rate: 0.01, 0.9, 0.999)
            }
            expectClose(denseSet["w"].row(row), expected, absolute: 2e-6)
            #expect(denseSet["w"].row(row) != denseBefore.row(row))
        }
        expectClose(lazySet["w"].row(1), denseSet["w"].doubleRow(1), absolute: 1e-6)
        // Touched again: the moments did not change, and bias corrections use the global step.
        take(rows([0], gradient(2, rows: 1)))
        let expected = (0..<3).map { column in
            let (g0, g2) = (Double(gradient(0)[0, column]), Double(gradient(2, rows: 1)[0, column]))
            let m = 0.9 * 0.1 * g0 + 0.1 * g2
            let v = 0.999 * 0.001 * g0 * g0 + 0.001 * g2 * g2
            let step = 0.01 * (m / (1 - pow(0.9, 3))) / ((v / (1 - pow(0.999, 3))).squareRoot() + 1e-8)
            return Double(lazyBefore[0, column]) - step
        }
        expectClose(lazySet["w"].row(0), expected, absolute: 2e-6)
    }

    @Test("repeated rows of a batch take one step along their summed gradient")
    func repeatedRows() {
        let start = normalMatrix(rows: 4, columns: 3, seed: 96)
        var (once, twice) = (ParameterSet(["w": start]), ParameterSet(["w": start]))
        var (onceAdam, twiceAdam) = (Adam(learningRate: 0.1), Adam(learningRate: 0.1))
        onceAdam.update(&once, by: rows([2], Matrix([[3, 5, 7]])))
        twiceAdam.update(&twice, by: rows([2, 2], Matrix([[1, 2, 3], [2, 3, 4]])))
        #expect(once == twice)
    }

    @Test("restored moments continue the same training", arguments: TableUpdate.allCases)
    func restore(tableUpdate: TableUpdate) {
        var set = ParameterSet(["w": normalMatrix(rows: 4, columns: 3, seed: 95), "b": Matrix([[1, 2, 3]])])
        var adam = Adam(learningRate: 0.01, tableUpdate: tableUpdate)
        func gradients(_ step: Int) -> Gradients {
            var gradients = rows([0, 3], gradient(step, rows: 2))
            gradients.dense["b"] = gradient(step, rows: 1)
            return gradients
        }
        for step in 0..<3 { adam.update(&set, by: gradients(step)) }
        #expect(Set(adam.moments.keys) == ["adam.first.w", "adam.second.w", "adam.first.b", "adam.second.b"])
        var resumed = Adam(learningRate: 0.01, tableUpdate: tableUpdate)
        resumed.restore(step: adam.step, moments: adam.moments)
        var resumedSet = set
        adam.update(&set, by: gradients(3))
        resumed.update(&resumedSet, by: gradients(3))
        #expect(set == resumedSet)
        #expect(resumed.step == 4 && resumed.moments == adam.moments)
    }

    @Test("parameter sets report their names, sizes and non-finite values")
    func parameterSet() {
        var set = ParameterSet(["b": Matrix(rows: 2, columns: 3), "a": Matrix([[1, 2]])])
        #expect(set.names == ["a", "b"] && set.count == 8 && set.firstNonFinite == nil)
        set.update("a") { $0[0, 1] = .infinity }
        #expect(set["a"].elements == [1, .infinity])
        #expect(set.firstNonFinite == "a")
    }
}
