#include "services/registry/views.hpp"

#include <algorithm>
#include <string_view>

namespace doorbuster::registry {

using eureka::Format;
using leases::App;
using leases::LeaseTable;

namespace {

constexpr std::uint8_t kFirstOfAll = 1;
constexpr std::uint8_t kFirstOfApp = 2;
constexpr std::uint8_t kLastOfApp = 4;

std::size_t index_of(Format format) {
  return static_cast<std::size_t>(format);
}

SharedText shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

SharedRope packed(std::string_view text) {
  GzipRope rope;
  rope.add(gzip_piece(text));
  return std::make_shared<const Rope>(rope.finish());
}

}  // namespace

SharedRope Views::get(Kind kind, Format format, bool gzip) {
  auto& view = views_[static_cast<std::size_t>(kind)][index_of(format)][gzip ? 1 : 0];
  if (view.rope && view.version == table_.version()) return view.rope;
  const auto began = stopwatch_.now();
  if (view.rope && view.took > kQuickly && began - view.made_at < 4 * view.took) return view.rope;
  view.version = table_.version();
  view.rope = kind == Kind::full ? make_full(format, gzip) : make_delta(format, gzip);
  view.made_at = stopwatch_.now();
  view.took = view.made_at - began;
  ++made_;
  return view.rope;
}

void Views::write_page(const App& app, std::size_t number, Format format, Page& page) {
  std::string out;
  if ((page.place & kFirstOfApp) != 0) {
    if ((page.place & kFirstOfAll) == 0) out += eureka::instance_separator(format);
    eureka::append_application_head(format, app.name, out);
  }
  const auto begin = number * LeaseTable::kPageSize;
  const auto end = std::min(begin + LeaseTable::kPageSize, app.leases.size());
  for (auto i = begin; i < end; ++i) {
    if (i != 0) out += eureka::instance_separator(format);
    eureka::append_instance(format, *app.leases[i]->info, out);
  }
  if ((page.place & kLastOfApp) != 0) out += eureka::application_tail(format);
  out.shrink_to_fit();
  page.plain = shared(std::move(out));
  page.packed = {};
  page.version = app.page_versions[number];
}

SharedRope Views::make_full(Format format, bool gzip) {
  std::string head;
  eureka::append_applications_head(format, table_.version(), table_.hash_code(), head);
  Rope plain;
  GzipRope zipped;
  if (gzip) {
    zipped.add(gzip_piece(head));
  } else {
    plain.add(shared(std::move(head)));
  }
  auto& pages = pages_[index_of(format)];
  // Apps that are gone leave their pages behind; both maps have the same order.
  auto kept = pages.begin();
  bool first = true;
  for (const auto& [name, app] : table_.apps()) {
    while (kept != pages.end() && kept->first < name) kept = pages.erase(kept);
    if (kept == pages.end() || kept->first != name)
      kept = pages.emplace_hint(kept, name, std::vector<Page>());
    auto& of_app = kept->second;
    ++kept;
    of_app.resize(app.page_versions.size());
    for (std::size_t i = 0; i < of_app.size(); ++i) {
      auto& page = of_app[i];
      const auto place = static_cast<std::uint8_t>((first ? kFirstOfAll : 0) | (i == 0 ? kFirstOfApp : 0) |
                                                   (i + 1 == of_app.size() ? kLastOfApp : 0));
      first = false;
      if (page.version != app.page_versions[i] || page.place != place) {
        page.place = place;
        write_page(app, i, format, page);
      }
      if (gzip && !page.packed.bytes) page.packed = gzip_piece(*page.plain);
      if (gzip) {
        zipped.add(page.packed);
      } else {
        plain.add(page.plain);
      }
    }
  }
  pages.erase(kept, pages.end());
  const std::string tail(eureka::applications_tail(format));
  if (gzip) {
    zipped.add(gzip_piece(tail));
    return std::make_shared<const Rope>(zipped.finish());
  }
  plain.add(shared(tail));
  return std::make_shared<const Rope>(std::move(plain));
}

SharedRope Views::make_delta(Format format, bool gzip) const {
  struct Entry {
    std::vector<const leases::InstanceInfo*> present;
    std::vector<const leases::InstanceInfo*> deleted;
  };
  std::map<std::string_view, Entry> apps;
  for (const auto& change : table_.recent().all()) {
    auto& entry = apps[change.instance->app];
    (change.instance->action == leases::Action::deleted ? entry.deleted : entry.present)
        .push_back(change.instance.get());
  }
  std::string out;
  eureka::append_applications_head(format, table_.version(), table_.hash_code(), out);
  bool first = true;
  const auto write = [&](std::string_view name, const Entry& entry) {
    if (!first) out += eureka::instance_separator(format);
    first = false;
    eureka::append_application_head(format, name, out);
    bool first_instance = true;
    for (const auto* part : {&entry.present, &entry.deleted}) {
      for (const auto* instance : *part) {
        if (!first_instance) out += eureka::instance_separator(format);
        first_instance = false;
        eureka::append_instance(format, *instance, out);
      }
    }
    out += eureka::application_tail(format);
  };
  // Java's client adds a whole app that it does not know, so what is deleted must come after what is there;
  // and Python's gives up at a deleted instance of an app that it does not know, so those apps come last.
  for (const auto& [name, entry] : apps) {
    if (!entry.present.empty()) write(name, entry);
  }
  for (const auto& [name, entry] : apps) {
    if (entry.present.empty()) write(name, entry);
  }
  out += eureka::applications_tail(format);
  if (gzip) return packed(out);
  Rope rope;
  rope.add(shared(std::move(out)));
  return std::make_shared<const Rope>(std::move(rope));
}

}  // namespace doorbuster::registry
