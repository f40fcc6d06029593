// Makes a data folder whose log has so many coupons, for measuring a start:  make_log FOLDER COUPONS

#include <charconv>
#include <cstdio>
#include <cstring>

#include "adapters/sqlite/data_directory.hpp"
#include "adapters/sqlite/log_file.hpp"
#include "base/random.hpp"

namespace doorbuster::sqlite {
namespace {

constexpr std::uint64_t kRowsACommit = 10'000;
constexpr std::uint64_t kCommitsACheckpoint = 20;
/// Users as a shop has them: integers, not ascending.
constexpr std::uint64_t kFirstUser = 100'000'000'000;
constexpr std::uint64_t kStep = 7'919;

CampaignDefinition definition(std::uint64_t limit) {
  CampaignDefinition campaign;
  campaign.id = *CampaignId::parse("default");
  campaign.name = "default";
  campaign.limit = limit;
  campaign.created_at = Timestamp(std::chrono::hours(490'000));
  return campaign;
}

Result<void> fill(LogFile& file, std::uint64_t coupons) {
  SystemRandom random;
  const auto campaign = definition(coupons + 1'000'000);
  if (auto begun = file.begin(); !begun) return begun;
  if (auto added = file.add(campaign); !added) return added;
  if (auto done = file.commit(); !done) return done;
  std::vector<CouponIssued> events;
  for (std::uint64_t sequence = 0, commits = 0; sequence < coupons; ++commits) {
    events.clear();
    while (events.size() < kRowsACommit && sequence < coupons) {
      ++sequence;
      CouponIssued event;
      event.campaign = campaign.id;
      CouponCode::Bytes code;
      random.fill(code);
      event.coupon = {UserId::from_integer(kFirstUser + sequence * kStep % (coupons * 10)), sequence,
                      CouponCode(code), campaign.created_at + Duration(sequence)};
      event.instance = InstanceName("api-1");
      events.push_back(event);
    }
    if (auto begun = file.begin(); !begun) return begun;
    if (auto added = file.add(events); !added) return added;
    if (auto done = file.commit(); !done) return done;
    if (commits % kCommitsACheckpoint != 0) continue;
    if (auto copied = file.checkpoint(); !copied) return copied.error();
  }
  return file.checkpoint_and_truncate();
}

Result<void> make(const std::string& folder, std::uint64_t coupons) {
  const auto locked = DataDirectory::acquire(folder, "make_log");
  if (!locked) return locked.error();
  auto file = LogFile::open(locked->log_path());
  if (!file) return file.error();
  return fill(**file, coupons);
}

}  // namespace
}  // namespace doorbuster::sqlite

int main(int argc, char** argv) {
  std::uint64_t coupons = 0;
  if (argc != 3 ||
      std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), coupons).ptr !=
          argv[2] + std::strlen(argv[2]) ||
      coupons == 0) {
    std::fprintf(stderr, "usage: make_log FOLDER COUPONS\n");
    return 1;
  }
  const auto made = doorbuster::sqlite::make(argv[1], coupons);
  if (!made) std::fprintf(stderr, "make_log: %s\n", made.error().detail.c_str());
  return made ? 0 : 1;
}
