/* The physical limit: a relay on one epoll loop that looks at nothing but whom a message is for.
 *
 * Connects with /?id=N; a message that begins with {"to":"N" goes to N as it is, each with a send of its own.
 * No TLS, no fragments, no limits, no checks: not a server, a yardstick. Prints its port.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, MOST = 1 << 17, EVENTS = 256 };

struct client {
    int open, id;
    size_t held, capacity; /* bytes of a frame that is not whole */
    uint8_t *inbox;
};

static struct client clients[MOST]; /* by descriptor */
static int by_id[MOST];             /* descriptor, or 0 */
static uint8_t buffer[BUFFER + 16];

static uint32_t rotated(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

static void sha1(const uint8_t *data, size_t size, uint8_t out[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t padded[128] = {0};
    size_t blocks = size + 9 > 64 ? 2 : 1; /* a key and the GUID are 60 bytes */
    memcpy(padded, data, size);
    padded[size] = 0x80;
    for (int i = 0; i < 8; i++) padded[blocks * 64 - 1 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 16; i++) {
            const uint8_t *p = padded + block * 64 + i * 4;
            w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
            uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
            uint32_t t = rotated(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rotated(b, 30), b = a, a = t;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *data, size_t size, char *out) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (i + 1 < size ? data[i + 1] << 8 : 0) | (i + 2 < size ? data[i + 2] : 0);
        *out++ = letters[three >> 18 & 63];
        *out++ = letters[three >> 12 & 63];
        *out++ = i + 1 < size ? letters[three >> 6 & 63] : '=';
        *out++ = i + 2 < size ? letters[three & 63] : '=';
    }
    *out = 0;
}

static void leave(int fd) {
    struct client *client = &clients[fd];
    if (client->id && by_id[client->id] == fd) by_id[client->id] = 0;
    free(client->inbox);
    memset(client, 0, sizeof *client);
    close(fd);
}

static void upgrade(int fd, char *head) {
    static const char name[] = "Sec-WebSocket-Key: ", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char *key = strstr(head, name), *id = strstr(head, "id="), joined[128], accept[32], answer[256];
    uint8_t digest[20];
    if (!key || !id) { leave(fd); return; }
    snprintf(joined, sizeof joined, "%.24s%s", key + sizeof name - 1, guid);
    sha1((uint8_t *)joined, strlen(joined), digest);
    base64(digest, 20, accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    int number = atoi(id + 3) + 1; /* 0 means nobody */
    if (number < 1 || number >= MOST) { leave(fd); return; }
    clients[fd].open = 1;
    clients[fd].id = number;
    by_id[number] = fd;
    if (write(fd, answer, (size_t)size) != size) leave(fd);
}

/* Returns 0 when the client is gone. */
static int deliver(int fd, uint8_t opcode, uint8_t *payload, size_t size) {
    static const char to[] = "{\"to\":\"";
    int other;
    if (opcode == 8) { leave(fd); return 0; }
    if (opcode != 1 || size < sizeof to || memcmp(payload, to, sizeof to - 1)) return 1;
    int number = atoi((char *)payload + sizeof to - 1) + 1;
    if (number < 1 || number >= MOST || !(other = by_id[number])) return 1;
    /* The head takes the place of the mask, which is at least as long. */
    uint8_t *frame;
    if (size < 126) {
        frame = payload - 2;
        frame[1] = (uint8_t)size;
    } else if (size < 65536) {
        frame = payload - 4;
        frame[1] = 126, frame[2] = (uint8_t)(size >> 8), frame[3] = (uint8_t)size;
    } else {
        frame = payload - 10;
        frame[1] = 127;
        for (int i = 0; i < 8; i++) frame[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    }
    frame[0] = 0x81;
    size += (size_t)(payload - frame);
    /* A reader whose buffer is full loses the message: a server would queue it. */
    (void)!send(other, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return 1;
}

/* Returns how many bytes are done with. */
static size_t frames(int fd, uint8_t *bytes, size_t size) {
    size_t used = 0;
    while (clients[fd].open && size - used >= 6) {
        uint8_t *at = bytes + used;
        size_t length = at[1] & 0x7f, head = 6;
        if (length == 126) {
            if (size - used < 8) break;
            length = (size_t)at[2] << 8 | at[3], head = 8;
        } else if (length == 127) {
            if (size - used < 14) break;
            length = 0, head = 14;
            for (int i = 0; i < 8; i++) length = length << 8 | at[2 + i];
        }
        if (size - used < head + length) break;
        uint32_t mask;
        memcpy(&mask, at + head - 4, 4);
        uint64_t wide = (uint64_t)mask << 32 | mask, word;
        size_t i = 0;
        for (; i + 8 <= length; i += 8) {
            memcpy(&word, at + head + i, 8);
            word ^= wide;
            memcpy(at + head + i, &word, 8);
        }
        for (; i < length; i++) at[head + i] ^= ((uint8_t *)&mask)[i % 4];
        used += head + length;
        if (!deliver(fd, at[0] & 0x0f, at + head, length)) return size;
    }
    return used;
}

static void readable(int fd) {
    struct client *client = &clients[fd];
    size_t held = client->held;
    if (held) memcpy(buffer, client->inbox, held);
    ssize_t got = read(fd, buffer + held, BUFFER - held);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) leave(fd);
        return;
    }
    size_t size = held + (size_t)got, used = 0;
    if (!client->open) {
        buffer[size] = 0;
        char *end = strstr((char *)buffer, "\r\n\r\n");
        if (end) {
            used = size;
            upgrade(fd, (char *)buffer);
        }
    } else {
        used = frames(fd, buffer, size);
    }
    client->held = size - used;
    if (client->held && (client->open || !used)) {
        if (client->capacity < client->held) {
            client->capacity = client->held;
            client->inbox = realloc(client->inbox, client->capacity);
            if (!client->inbox) abort();
        }
        memcpy(client->inbox, buffer + used, client->held);
    } else {
        client->held = 0;
    }
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) { perror("listen"); return 1; }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) { readable(fd); continue; }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                if (fd >= MOST) { close(fd); continue; }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
