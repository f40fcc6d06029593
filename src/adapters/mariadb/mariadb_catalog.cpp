#include "adapters/mariadb/mariadb_catalog.hpp"

#include <fmt/format.h>

#include "adapters/mariadb/rows.hpp"

namespace doorbuster::mariadb {
namespace {

/// Of one call; the rest waits for the next.
constexpr std::uint64_t kMostPublished = 1000;

Error conflict(const CampaignDefinition& definition) {
  return make_error(ErrorCode::conflict,
                    fmt::format("campaign '{}' has been changed meanwhile: revision {} does not follow",
                                definition.id.text(), definition.revision),
                    "revision");
}

}  // namespace

void MariaDbCatalog::put(CampaignDefinition definition, Executor& on, Done<void> done) {
  threads_.run<void>(
      on, [this, definition = std::move(definition)] { return put_now(definition); }, std::move(done));
}

void MariaDbCatalog::get(CampaignId id, Executor& on, Done<std::optional<CampaignDefinition>> done) {
  threads_.run<std::optional<CampaignDefinition>>(
      on, [this, id] { return get_now(id); }, std::move(done));
}

void MariaDbCatalog::list(Executor& on, Done<std::vector<CampaignDefinition>> done) {
  threads_.run<std::vector<CampaignDefinition>>(
      on, [this] { return list_now(); }, std::move(done));
}

Result<void> MariaDbCatalog::put_now(const CampaignDefinition& definition) {
  return pool_.with<void>([&](Connection& connection) -> Result<void> {
    if (auto written = write(connection, definition); !written) return written;
    std::lock_guard lock(publish_mutex_);
    auto published = publish(connection, &definition.id);
    if (published) return {};
    return make_error(ErrorCode::unknown_outcome,
                      fmt::format("campaign '{}': revision {} is written, and not yet in the event log: {}",
                                  definition.id.text(), definition.revision, published.error().detail));
  });
}

Result<void> MariaDbCatalog::write(Connection& connection, const CampaignDefinition& definition) {
  Transaction transaction(connection);
  if (auto begun = transaction.begin(); !begun) return begun;
  std::vector<Value> values;
  if (definition.revision == 1) {
    values.emplace_back(definition.id.text());
    add_definition(definition, values);
    auto made = connection.run(fmt::format("INSERT INTO campaign (id, {}) VALUES {}", kDefinitionColumns,
                                           placeholders(1, kDefinitionWidth + 1)),
                               values);
    if (!made) {
      return made.error().code == ErrorCode::conflict ? conflict(definition) : made.error();
    }
  } else {
    add_definition(definition, values);
    values.emplace_back(definition.id.text());
    values.emplace_back(std::uint64_t{definition.revision} - 1);
    values.emplace_back(std::uint64_t{definition.epoch});
    auto changed = connection.run(
        "UPDATE campaign SET name = ?, coupon_limit = ?, starts_at = ?, ends_at = ?, status = ?, strategy = "
        "?, "
        "durability = ?, revision = ?, epoch = ?, created_at = ? WHERE id = ? AND revision = ? AND epoch = ?",
        values);
    if (!changed) return changed.error();
    if (*changed == 0) return conflict(definition);
  }
  values.assign({definition.id.text()});
  add_definition(definition, values);
  auto noted = connection.run(fmt::format("INSERT INTO campaign_revision (campaign_id, {}) VALUES {}",
                                          kDefinitionColumns, placeholders(1, kDefinitionWidth + 1)),
                              values);
  if (!noted) return noted.error().code == ErrorCode::conflict ? conflict(definition) : noted.error();
  return transaction.commit();
}

Result<std::size_t> MariaDbCatalog::publish_pending() {
  std::lock_guard lock(publish_mutex_);
  return pool_.with<std::size_t>([&](Connection& connection) { return publish(connection, nullptr); });
}

Result<std::size_t> MariaDbCatalog::publish(Connection& connection, const CampaignId* only) {
  std::vector<CampaignDefinition> waiting;
  const EachRow each = [&](const Row& row) -> Result<void> {
    auto id = campaign_of(row.text(0));
    if (!id) return id.error();
    auto definition = read_definition(*id, row, 1);
    if (!definition) return definition.error();
    waiting.push_back(std::move(*definition));
    return {};
  };
  const auto select =
      fmt::format("SELECT campaign_id, {} FROM campaign_revision WHERE published = 0", kDefinitionColumns);
  const std::string_view order = "ORDER BY campaign_id, revision LIMIT ?";
  auto found = only == nullptr ? connection.rows(fmt::format("{} {}", select, order), {kMostPublished}, each)
                               : connection.rows(fmt::format("{} AND campaign_id = ? {}", select, order),
                                                 {only->text(), kMostPublished}, each);
  if (!found) return found.error();
  for (const auto& definition : waiting) {
    if (auto told = log_.publish(CampaignChanged{definition}, publish_timeout_); !told) return told.error();
    // When this fails, the log is told once more later, which changes nothing there.
    auto marked =
        connection.run("UPDATE campaign_revision SET published = 1 WHERE campaign_id = ? AND revision = ?",
                       {definition.id.text(), std::uint64_t{definition.revision}});
    if (!marked && only == nullptr) return marked.error();
  }
  return waiting.size();
}

Result<std::optional<CampaignDefinition>> MariaDbCatalog::get_now(const CampaignId& id) {
  using Found = std::optional<CampaignDefinition>;
  return pool_.read<Found>([&](Connection& connection) -> Result<Found> {
    Found found;
    auto read = connection.rows(fmt::format("SELECT {} FROM campaign WHERE id = ?", kDefinitionColumns),
                                {id.text()}, [&](const Row& row) -> Result<void> {
                                  auto definition = read_definition(id, row, 0);
                                  if (!definition) return definition.error();
                                  found = std::move(*definition);
                                  return {};
                                });
    if (!read) return read.error();
    return found;
  });
}

Result<std::vector<CampaignDefinition>> MariaDbCatalog::list_now() {
  return pool_.read<std::vector<CampaignDefinition>>(list_definitions);
}

}  // namespace doorbuster::mariadb
