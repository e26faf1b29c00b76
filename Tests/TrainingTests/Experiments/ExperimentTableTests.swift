import Foundation
import Testing
import Training

@Suite("Experiment tables") struct ExperimentTableTests {
    private typealias Measure = ExperimentTable.Measure
    private typealias Row = ExperimentTable.Row

    private func table(isTransposed: Bool) -> ExperimentTable {
        ExperimentTable(
            measures: [
                Measure("hr@20", "HR@20"),
                Measure("categories@100", "categories", isPercent: false, highestIsBest: false),
            ],
            rows: [
                Row(name: "full", statistics: [Statistic([0.27, 0.28, 0.29]), Statistic([11, 12, 13])]),
                Row(name: "w/o a|b", statistics: [Statistic([0.2]), nil]),
                Row(name: "w/o walk", statistics: [nil, nil], failure: "diverged"),
            ],
            isTransposed: isTransposed
        )
    }

    @Test("print mean and sample deviation in percent, the best in bold, and failures")
    func markdown() {
        #expect(
            table(isTransposed: false).markdown == """
                |  | HR@20 | categories |
                | --- | ---: | ---: |
                | full | **28.00 ± 1.00** | 12.00 ± 1.00 |
                | w/o a\\|b | 20.00 |  |
                | w/o walk | diverged | diverged |

                """
        )
        #expect(
            table(isTransposed: true).markdown == """
                |  | full | w/o a\\|b | w/o walk |
                | --- | ---: | ---: | ---: |
                | HR@20 | **28.00 ± 1.00** | 20.00 | diverged |
                | categories | 12.00 ± 1.00 |  | diverged |

                """
        )
    }

    private func result(_ points: [MeasuredPoint], divergence: String? = nil) -> CellResult {
        CellResult(progress: TrainingProgress(), divergence: divergence, trainRows: 5, build: "b", points: points)
    }

    private func point(_ name: String, _ hitRate: Double) -> MeasuredPoint {
        MeasuredPoint(name: name, values: ["hr@20": hitRate])
    }

    /// Two rows, two seeds; the second row diverges from one of them.
    private var results: ExperimentResults {
        let cells = [UInt64(1), 2].flatMap { seed in
            ["a", "b, c"].map {
                ExperimentCell(variant: Experiment.Variant(name: $0, recipe: Recipe(), showsReadOuts: true), seed: seed)
            }
        }
        return ExperimentResults(
            .overall,
            cells: cells,
            results: [
                result([point("served", 0.25), point("mean", 0.125)]), result([point("served", 0.5)]),
                result([point("served", 0.75), point("mean", 0.375)]), result([], divergence: "diverged at step 3"),
            ],
            floors: [point("popularity", 0.0625)]
        )
    }

    @Test("group seeds by row and read-out, without diverged trainings")
    func gathers() {
        let rows = results.table.rows
        #expect(rows.map(\.name) == ["a", "a, mean", "b, c", "popularity"])
        #expect(
            rows.map { $0.statistics[0] } == [
                Statistic([0.25, 0.75]), Statistic([0.125, 0.375]), Statistic([0.5]), Statistic([0.0625]),
            ]
        )
        #expect(results.table.measures.map(\.key) == ["hr@20", "train_seconds", "trials"])
        #expect(results.comparison == nil)
        #expect(results.divergences == ["b, c, seed 2: diverged at step 3"])
    }

    @Test("CSV has a line for each cell and read-out, in full precision, quoted where needed")
    func csv() throws {
        let lines = results.csv.split(separator: "\n")
        try #require(lines.count == 8)
        #expect(
            lines[0]
                == "experiment,row,read_out,seed,status,best_step,hr@20,train_rows,train_seconds,train_steps,trials"
        )
        #expect(lines[1] == "overall,a,served,1,ok,0.0,0.25,5.0,0.0,0.0,0.0")
        #expect(lines[3] == "overall,\"b, c\",served,1,ok,0.0,0.5,5.0,0.0,0.0,0.0")
        #expect(lines[6] == "overall,\"b, c\",,2,diverged at step 3,0.0,,5.0,0.0,0.0,0.0")
        #expect(lines[7] == "overall,popularity,,,ok,,0.0625,,,,")
    }
}
