#include "services/issuing/definition_keeper.hpp"

#include <unordered_map>
#include <utility>

namespace doorbuster::issuing {
namespace {

/// What was last seen of one campaign.
struct Seen {
  std::uint32_t revision = 0;  // the ledger has it
  std::uint32_t epoch = 0;
  Timestamp looked_at{};
  std::optional<Timestamp> amiss_since;
};

}  // namespace

class DefinitionKeeper::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Parts parts, std::function<void(const std::vector<CampaignDefinition>&)> know,
       std::function<void(const CampaignId&)> mend, KeeperOptions options)
      : parts_(parts), know_(std::move(know)), mend_(std::move(mend)), options_(options) {}

  void start(Ledger::Done<void> refreshed) {
    refresh(std::move(refreshed));
    go_on();
  }

  void refresh(Ledger::Done<void> refreshed) {
    if (std::exchange(refreshing_, true)) return;
    parts_.catalog.list(parts_.executor, [weak = weak_from_this(), refreshed = std::move(refreshed)](
                                             Result<std::vector<CampaignDefinition>> all) mutable {
      const auto self = weak.lock();
      if (!self) return;
      self->refreshing_ = false;
      if (all) {
        self->know_(*all);
        for (const auto& definition : *all) self->look_at(definition);
      }
      if (refreshed) refreshed(all ? Result<void>() : Result<void>(all.error()));
    });
  }

 private:
  void go_on() {
    parts_.executor.after(options_.refresh_every, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->refresh(nullptr);
      self->go_on();
    });
  }

  void look_at(const CampaignDefinition& definition) {
    Seen& seen = seen_[definition.id];
    const Timestamp now = parts_.clock.now();
    const bool news = seen.revision != definition.revision || seen.epoch != definition.epoch;
    if (!news && !seen.amiss_since && now - seen.looked_at < options_.look_every) return;
    seen.looked_at = now;
    parts_.ledger.show(definition.id, [weak = weak_from_this(), definition](auto view) {
      const auto self = weak.lock();
      if (!self || !view || !*view) return;  // closed, or away: looked at again
      self->compare(definition, **view);
    });
  }

  void compare(const CampaignDefinition& definition, const CampaignView& view) {
    Seen& seen = seen_[definition.id];
    if (view.definition.epoch != definition.epoch) return;  // one of the two is old; recovery sees to it
    if (view.definition.revision >= definition.revision && !view.held) {
      seen.revision = definition.revision;
      seen.epoch = definition.epoch;
      seen.amiss_since.reset();
      return;
    }
    // Somebody may be at it at this moment: only what stays so is mended.
    const Timestamp now = parts_.clock.now();
    if (!seen.amiss_since) seen.amiss_since = now;
    if (now - *seen.amiss_since < options_.mend_after) return;
    seen.amiss_since.reset();
    mend_(definition.id);
  }

  Parts parts_;
  std::function<void(const std::vector<CampaignDefinition>&)> know_;
  std::function<void(const CampaignId&)> mend_;
  const KeeperOptions options_;
  std::unordered_map<CampaignId, Seen> seen_;
  bool refreshing_ = false;
};

DefinitionKeeper::DefinitionKeeper(Parts parts,
                                   std::function<void(const std::vector<CampaignDefinition>&)> know,
                                   std::function<void(const CampaignId&)> mend, KeeperOptions options)
    : impl_(std::make_shared<Impl>(parts, std::move(know), std::move(mend), options)) {}
DefinitionKeeper::~DefinitionKeeper() = default;

void DefinitionKeeper::start(Ledger::Done<void> refreshed) {
  impl_->start(std::move(refreshed));
}
void DefinitionKeeper::refresh() {
  impl_->refresh(nullptr);
}

}  // namespace doorbuster::issuing
