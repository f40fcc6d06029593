#pragma once
// Gives the memory of a campaign's holders back, some time after it was ended, when the repository can answer
// for it. Whoever asks gets the same answers as before (UnloadableLedger, MemoryLedger).
//
//   every `look_every`: which campaigns have ended for good and are quiet? since when?
//        └─ longer than `after` ──▶ page by page: are the archive's coupons those of the ledger? (one at a
//        time)
//                 ├─ all are the same ──▶ UnloadableLedger::unload(), with the filter made on the way
//                 └─ one is not there yet, or differs ──▶ it stays in memory, and is looked at again later
//
// Comparing what is stored says more than the worker's position does: a coupon that was put aside as a dead
// letter is behind that, and is not there. It is read once, at a time when nobody is in a hurry.
//
// A campaign whose window is over is not ended for good: its window may be moved.
//
// One shard, the ledger's: nothing is decided between the last comparison and the unloading, and a campaign
// that has ended admits nobody in between. Completions may come after this object's end: they are dropped.

#include <chrono>
#include <functional>
#include <memory>

#include "base/executor.hpp"
#include "ports/holder_archive.hpp"

namespace doorbuster::issuing {

struct UnloadOptions {
  Duration after = std::chrono::hours(1);  ///< from the moment when it was first seen ended and quiet
  Duration look_every = std::chrono::seconds(1);
  std::size_t page = 500;        ///< coupons compared in one turn
  std::uint64_t filter_key = 0;  ///< drawn at random by process
  /// Called after the last one that was due has been unloaded: the memory is free, and may go to the system.
  std::function<void()> unloaded;
};

struct UnloadStats {
  std::uint64_t unloaded = 0;
  std::uint64_t put_off = 0;  ///< attempts that ended with the campaign still in memory
};

class EndedCampaigns {
 public:
  /// \param clock a BootClock. \param ledger,archive outlive this and their calls
  EndedCampaigns(Executor& executor, Clock& clock, UnloadableLedger& ledger, HolderArchive& archive,
                 UnloadOptions options);
  ~EndedCampaigns();

  /// Begins to look; ends with this object.
  void start();

  const UnloadStats& stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace doorbuster::issuing
