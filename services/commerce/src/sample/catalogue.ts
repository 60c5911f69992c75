/** A kind of goods: what is sold, by whom, and between which prices in won. */
export interface Category {
  readonly name: string
  readonly brands: readonly string[]
  readonly goods: readonly string[]
  readonly price: readonly [min: number, max: number]
}

export const CATEGORIES: readonly Category[] = [
  {
    name: '전자제품',
    brands: ['Apple', '삼성전자', 'LG전자', 'Sony', '로지텍'],
    goods: ['무선 이어폰', '스마트워치', '태블릿', '노트북', '블루투스 스피커', '모니터', '보조배터리'],
    price: [19_000, 1_990_000],
  },
  {
    name: '패션',
    brands: ['나이키', '아디다스', '유니클로', '무신사', '스파오'],
    goods: ['운동화', '후드티', '청바지', '패딩 점퍼', '셔츠', '백팩', '볼캡'],
    price: [9_900, 329_000],
  },
  {
    name: '뷰티',
    brands: ['이니스프리', '설화수', '라네즈', '닥터지', '클리오'],
    goods: ['수분 크림', '선크림', '립스틱', '클렌징폼', '에센스', '마스크팩'],
    price: [5_900, 189_000],
  },
  {
    name: '식품',
    brands: ['CJ', '오뚜기', '농심', '풀무원', '동원'],
    goods: ['즉석밥', '라면', '김치', '참치캔', '견과 세트', '냉동 만두', '홍삼'],
    price: [2_900, 89_000],
  },
  {
    name: '생활용품',
    brands: ['유한킴벌리', '다우니', '락앤락', '피죤', '테팔'],
    goods: ['화장지', '섬유유연제', '밀폐용기', '프라이팬', '수건 세트', '세제'],
    price: [3_900, 119_000],
  },
  {
    name: '스포츠',
    brands: ['나이키', '뉴발란스', '데상트', '코베아', '요넥스'],
    goods: ['요가 매트', '덤벨 세트', '러닝화', '캠핑 의자', '배드민턴 라켓', '등산 스틱'],
    price: [8_900, 459_000],
  },
  {
    name: '도서',
    brands: ['민음사', '창비', '문학동네', '한빛미디어', '위즈덤하우스'],
    goods: ['소설', '에세이', '프로그래밍 입문서', '그림책', '자기계발서', '여행 안내서'],
    price: [8_000, 48_000],
  },
]

export const REGIONS = [
  '서울시',
  '부산시',
  '대구시',
  '인천시',
  '광주시',
  '대전시',
  '울산시',
  '세종시',
  '경기도',
  '강원도',
  '충청북도',
  '충청남도',
  '전라북도',
  '전라남도',
  '경상북도',
  '경상남도',
  '제주도',
] as const

export const AGE_GROUPS = ['10대', '20대', '30대', '40대', '50대', '60대 이상'] as const
export const GENDERS = ['M', 'F'] as const
export const PAYMENT_METHODS = ['Card', 'KakaoPay', 'NaverPay', 'Transfer', 'Mobile'] as const

export const FAMILY_NAMES = ['김', '이', '박', '최', '정', '강', '조', '윤', '장', '임', '홍', '한', '오', '서', '신']
export const GIVEN_NAMES = [
  '길동',
  '민준',
  '서연',
  '지우',
  '하준',
  '서준',
  '지민',
  '예은',
  '도윤',
  '수아',
  '현우',
  '지훈',
  '유진',
  '채원',
  '은우',
  '다은',
]
