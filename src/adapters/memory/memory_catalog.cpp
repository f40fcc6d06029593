#include "adapters/memory/memory_catalog.hpp"

#include <limits>
#include <map>
#include <utility>

namespace doorbuster {
namespace {

std::uint32_t last_revision(const std::vector<Event>& events, const CampaignId& id) {
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    const auto* changed = std::get_if<CampaignChanged>(&*event);
    if (changed != nullptr && changed->definition.id == id) return changed->definition.revision;
  }
  return 0;
}

std::map<CampaignId, CampaignDefinition> definitions_in(MemoryEventLog& log) {
  std::map<CampaignId, CampaignDefinition> definitions;
  const auto records = log.read(0, std::numeric_limits<std::size_t>::max()).value();
  for (const LogRecord& record : records) {
    const auto* changed = std::get_if<CampaignChanged>(&record.event);
    if (changed != nullptr) definitions[changed->definition.id] = changed->definition;
  }
  return definitions;
}

template <class T>
void answer(Executor& on, CampaignCatalog::Done<T> done, Result<T> result) {
  on.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

}  // namespace

void MemoryCatalog::put(CampaignDefinition definition, Executor& on, Done<void> done) {
  const auto follows = [id = definition.id,
                        revision = definition.revision](const auto& written) -> Result<void> {
    const std::uint32_t there = last_revision(written, id);
    if (revision == there + 1) return {};
    return make_error(ErrorCode::conflict, "campaign " + std::string(id.text()) + " has revision " +
                                               std::to_string(there) + "; revision " +
                                               std::to_string(revision) + " does not follow");
  };
  std::vector<Event> events;
  events.emplace_back(CampaignChanged{std::move(definition)});
  log_.append_if(follows, std::move(events), on, std::move(done));
}

void MemoryCatalog::get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) {
  std::optional<CampaignDefinition> found;
  const auto definitions = definitions_in(log_);
  if (const auto at = definitions.find(id); at != definitions.end()) found = at->second;
  answer<std::optional<CampaignDefinition>>(on, std::move(done), std::move(found));
}

void MemoryCatalog::list(Executor& on, Done<std::vector<CampaignDefinition>> done) {
  std::vector<CampaignDefinition> all;
  for (auto& [id, definition] : definitions_in(log_)) all.push_back(definition);
  answer<std::vector<CampaignDefinition>>(on, std::move(done), std::move(all));
}

}  // namespace doorbuster
