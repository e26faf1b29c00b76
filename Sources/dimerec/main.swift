import Kernels
import Recommenders
import Training
import Foundation
let args = CommandLine.arguments
Allocator.keepFreedMemory()
var vocab = ItemVocabulary()
let t0 = ContinuousClock.now
let ds = try InteractionDataset.load(events: "/work/shared/data/ml-1m/events.csv", vocabulary: &vocab)
FileHandle.standardError.write(Data("\(["load", ContinuousClock.now - t0, ds.userCount, vocab.count] as [Any])\n".utf8))
let recipe = try Recipe(contentsOf: args[1])
let split = DataSplit(ds, by: recipe.data.split, seed: recipe.data.splitSeed)
let model = DimeRec(recipe.model, items: vocab.count, seed: 42)
var trainer = try Trainer(model: model, recipe: recipe, split: split, items: vocab.count, seed: 42)
let out = try trainer.run(report: { e in
  switch e {
  case .step(let s, _, let terms, let rate): if s % 300 == 0 { FileHandle.standardError.write(Data("\(s) \(terms) \(rate)\n".utf8)) }
  case .validation(let s, let m, _): FileHandle.standardError.write(Data("\(["val", s, m["hr@20"]!, m["hr@50"]!] as [Any])\n".utf8))
  }
})
let ev = Evaluator(rows: EvaluationRows(split.validation, protocol: recipe.data.evaluation), historyLength: recipe.model.historyLength, popularity: PopularityPredictor(sequences: split.train.sequences, items: vocab.count))
for r in out.model.readOuts { let t = ContinuousClock.now; let m = ev.evaluate(out.model, readOut: r, noiseSeed: 1).metrics; FileHandle.standardError.write(Data("\(r) \(m.rows) \(m.hitRate(at: 20)) \(m.hitRate(at: 50)) \(ContinuousClock.now - t)\n".utf8)) }
