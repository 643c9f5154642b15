// A config file as people keep it: comments everywhere, anchors, unknown keys, both quote styles.
export const commented = `# top comment
host: "127.0.0.1"   # loopback
port: 8317

x-common: &quota
  # inside an unknown key
  switch-project: true # tail

# management section
remote-management:
  # indented comment
  allow-remote: false
  secret-key: "$2a$10$abcdefghijklmnopqrstuv" # trailing comment
  disable-control-panel: false

auth-dir: 'somewhere'

# client keys
api-keys:
  - "client-key-1" # first
  # the second one
  - 'client-key-2'   # spare

debug: false
request-retry: &retry 3
max-retry-interval: *retry
quota-exceeded:
  <<: *quota
  antigravity-credits: yes

# routing comment
routing:
  strategy: round-robin # turn by turn

trusted-proxies: [ "10.0.0.0/8", 192.168.0.0/16 ] # ours

# key for Gemini
gemini-api-key:
  - api-key: "AIza-FAKE-1"
    x-tag: [a, b]   # not ours

    # before the URL
    base-url: "http://upstream.test"

openai-compatibility:
  - name: "fakeup" # provider comment
    x-note: mine
    base-url: "http://upstream.test/v1"
    headers: &headers { X-A: "1" }
    api-key-entries:
      - api-key: "sk-FAKE-up-1"
    models:
      - { name: "up-model-a", alias: "m-ok", x-cost: 3 }
      # the limited one
      - { name: "up-limit", alias: "m-limit" }
  - name: other
    base-url: "http://other.test/v1"
    headers: *headers
x-unknown: [1, 2] # the end
# last words
`;
